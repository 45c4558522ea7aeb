"""The product's settings with one other thing: the site is `benchmarks.empty_view` alone."""

from usage_dashboard.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.empty_view"
