"""Addresses for programs."""

from django.urls import path

from metering.intake import api
from metering.intake.sources import ways

app_name = "metering_api"
urlpatterns = [
    path("usage/events", api.view_of(ways.EVENTS), name="usage_events"),
    path("usage/responses", api.view_of(ways.RESPONSES), name="usage_responses"),
    path("integrations/litellm", api.view_of(ways.LITELLM), name="litellm"),
    path("traces", api.view_of(ways.OTLP), name="traces"),
]
