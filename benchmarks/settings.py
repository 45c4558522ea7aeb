"""The product's settings for a site that is `benchmarks.empty_view` alone, without middleware but for one that insists.

Usage events take a short road past the middleware, and so must the limit that they are measured by.
"""

from usage_dashboard.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.empty_view"
MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
