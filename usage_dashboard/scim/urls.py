"""Organization settings, Provisioning."""

from django.urls import path

from usage_dashboard.scim import pages

app_name = "scim"
urlpatterns = [
    path("", pages.provisioning, name="list"),
    path("<slug:public_id>/secret/", pages.secret, name="secret"),
    path("<slug:public_id>/revocation/", pages.revocation, name="revocation"),
    path("groups/<slug:public_id>/role/", pages.group_role, name="group_role"),
]
