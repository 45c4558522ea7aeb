"""User settings, API keys and default organization, and what usage of keys is for."""

from django.urls import path

from apikeys.attribution import project_views
from apikeys.attribution import views as attribution_views
from apikeys.keys import views

app_name = "apikeys"
ORGANIZATION = "settings/organization/<slug:slug>/"
PROJECT = f"{ORGANIZATION}projects/<slug:public_id>/"
urlpatterns = [
    path("settings/api-keys/", views.api_keys, name="keys"),
    path("settings/api-keys/<slug:public_id>/tracking/", views.tracking, name="tracking"),
    path("settings/api-keys/<slug:public_id>/name/", views.name, name="name"),
    path("settings/api-keys/<slug:public_id>/secret/", views.secret, name="secret"),
    path("settings/api-keys/<slug:public_id>/rotation/", views.rotation, name="rotation"),
    path("settings/profile/default-organization/", views.default_organization, name="default_organization"),
    path("settings/api-keys/<slug:public_id>/revocation/", views.revocation, name="revocation"),
    path(f"{ORGANIZATION}keys/<slug:public_id>/attribution/", attribution_views.attribution, name="attribution"),
    path(f"{ORGANIZATION}projects/", project_views.project_list, name="projects"),
    path(PROJECT, project_views.project, name="project"),
    path(f"{PROJECT}name/", project_views.name, name="project_name"),
    path(f"{PROJECT}archival/", project_views.archival, name="project_archival"),
    path(f"{PROJECT}restoration/", project_views.restoration, name="project_restoration"),
]
