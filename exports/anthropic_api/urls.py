"""The addresses of Anthropic's admin API."""

from django.urls import path
from django.views.decorators.http import require_safe

from exports.anthropic_api import views

app_name = "anthropic_api"
urlpatterns = [
    path("organizations/analytics/usage", require_safe(views.AnalyticsUsage.as_view()), name="usage"),
    path("organizations/analytics/cost", require_safe(views.AnalyticsCost.as_view()), name="cost"),
    path("organizations/usage_report/messages", require_safe(views.MessagesReport.as_view()), name="messages"),
    path("organizations/cost_report", require_safe(views.CostReport.as_view()), name="cost_report"),
]
