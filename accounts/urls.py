"""User settings and organization settings."""

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("settings/profile/", views.profile, name="profile"),
    path("settings/profile/default-organization/", views.default_organization, name="default_organization"),
    path("settings/organization/<slug:slug>/", views.organization, name="organization"),
    path("settings/organization/<slug:slug>/members/", views.members, name="members"),
]
