"""Addresses for programs."""

from django.urls import path

from metering.intake import api

app_name = "metering_api"
urlpatterns = [path("usage/events", api.usage_events, name="usage_events")]
