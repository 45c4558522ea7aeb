"""The site map."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from usage_dashboard import health

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="metering:usage"), name="home"),
    path("", include("metering.urls")),
    path("", include("billing.urls")),
    path("", include("exports.urls")),
    path("", include("accounts.urls")),
    path("", include("apikeys.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("v1/", include("metering.api_urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
