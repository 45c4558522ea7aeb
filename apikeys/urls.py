"""User settings, API keys and default organization, what usage of keys is for, and admin keys."""

from django.urls import path

from apikeys.adminkeys import views as admin_key_views
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
    path(f"{ORGANIZATION}admin-keys/", admin_key_views.admin_keys, name="admin_keys"),
    path(f"{ORGANIZATION}admin-keys/<slug:public_id>/secret/", admin_key_views.secret, name="admin_key_secret"),
    path(
        f"{ORGANIZATION}admin-keys/<slug:public_id>/revocation/",
        admin_key_views.revocation,
        name="admin_key_revocation",
    ),
    path(f"{ORGANIZATION}projects/", project_views.project_list, name="projects"),
    path(PROJECT, project_views.project, name="project"),
    path(f"{PROJECT}name/", project_views.name, name="project_name"),
    path(f"{PROJECT}archival/", project_views.archival, name="project_archival"),
    path(f"{PROJECT}restoration/", project_views.restoration, name="project_restoration"),
]
