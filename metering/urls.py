from django.urls import path

from metering.attributes import views as attribute_views
from metering.pages import key_views, views

app_name = "metering"
ATTRIBUTES = "settings/organization/<slug:slug>/attributes/"
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
    path(ATTRIBUTES, attribute_views.attributes, name="attributes"),
    path(f"{ATTRIBUTES}<slug:name>/title/", attribute_views.title, name="attribute_title"),
    path(f"{ATTRIBUTES}<slug:name>/withdrawal/", attribute_views.withdrawal, name="attribute_withdrawal"),
]
