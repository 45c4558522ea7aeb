"""The site map."""

from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from accounts.entrance.forms import email_settings
from billing.pages.key_verification import KeyVerification
from metering.intake import api
from metering.intake.sources import ways
from usage_dashboard import health
from usage_dashboard.apidocs import views as apidocs
from usage_dashboard.first_start import views as first_start_views
from usage_dashboard.monitoring.views import metrics
from usage_dashboard.scim import views as scim_views
from usage_dashboard.web import branding

handler403 = "accounts.pages.errors.not_allowed"
handler404 = "accounts.pages.errors.not_found"
urlpatterns = [
    # programs first: they call often, and addresses are tried in order
    path("v1/", include("metering.api_urls")),
    path("api/v1/events", api.view_of(ways.OPENMETER), name="openmeter_events"),
    path("v1/", include("exports.openai_api.urls")),
    path("v1/", include("exports.anthropic_api.urls")),
    path("v1/operator/", include("usage_dashboard.provisioning.urls")),
    path("scim/v2", scim_views.scim, name="scim_root"),
    path("scim/v2/<path:path>", scim_views.scim, name="scim"),
    path("v1/keys/verify", require_POST(KeyVerification.as_view()), name="verify_key"),
    path("", RedirectView.as_view(pattern_name="metering:usage"), name="home"),
    path("", include("metering.urls")),
    path("", include("billing.urls")),
    path("", include("exports.urls")),
    path("", include("accounts.urls")),
    path("", include("apikeys.urls")),
    path("settings/staff/", include("usage_dashboard.overview.urls")),
    path("settings/organization/<slug:slug>/provisioning/", include("usage_dashboard.scim.urls")),
    path("settings/operator-tokens/", include("usage_dashboard.operator_tokens.urls")),
    path("accounts/email/", email_settings, name="account_email"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/docs", apidocs.api_docs, name="api_docs"),
    path("api/schema", apidocs.schema_json, name="api_schema"),
    path("api/schema.yaml", apidocs.schema_yaml, name="api_schema_yaml"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("first-start/", first_start_views.first_start, name="first_start"),
    path("first-start/event/", first_start_views.first_event_page, name="first_event"),
    path("branding/logo", branding.logo, name="brand_logo"),
    path("branding/documents/<slug:digest>", branding.document_logo, name="brand_document_logo"),
    path("branding/icon", branding.icon, name="brand_icon"),
    path("branding/colors.css", branding.styles, name="brand_styles"),
]
