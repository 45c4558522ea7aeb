"""User settings, API keys and default organization."""

from django.urls import path

from apikeys.keys import views

app_name = "apikeys"
urlpatterns = [
    path("settings/api-keys/", views.api_keys, name="keys"),
    path("settings/api-keys/<slug:public_id>/tracking/", views.tracking, name="tracking"),
    path("settings/api-keys/<slug:public_id>/name/", views.name, name="name"),
    path("settings/api-keys/<slug:public_id>/secret/", views.secret, name="secret"),
    path("settings/api-keys/<slug:public_id>/rotation/", views.rotation, name="rotation"),
    path("settings/profile/default-organization/", views.default_organization, name="default_organization"),
    path("settings/api-keys/<slug:public_id>/revocation/", views.revocation, name="revocation"),
]
