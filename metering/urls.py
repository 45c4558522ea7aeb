from django.urls import path

from metering.pages import key_views, views

app_name = "metering"
urlpatterns = [
    path("usage", views.usage, name="usage"),
    path("settings/organization/<slug:slug>/usage/activity/", views.activity, name="activity"),
    path("settings/organization/<slug:slug>/usage/why/", key_views.usage_routing, name="usage_routing"),
    path("settings/organization/<slug:slug>/keys/", key_views.coverage, name="coverage"),
    path(
        "settings/organization/<slug:slug>/keys/requests/<slug:public_id>/",
        key_views.coverage_request,
        name="coverage_request",
    ),
    path("settings/organization/<slug:slug>/keys/<slug:public_id>/", key_views.key_routing, name="key_routing"),
]
