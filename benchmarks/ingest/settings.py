"""The product's settings for a site that is `benchmarks.ingest.empty_view` alone; with BARE set without middleware but for one
that insists."""

import os

from usage_dashboard.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.ingest.empty_view"
if os.environ.get("BARE"):
    MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
