"""User settings and organization settings."""

from django.urls import path

from accounts.audit import views as audit_views
from accounts.members import invitation_views
from accounts.members import views as member_views
from accounts.organizations import views as organization_views
from accounts.pages import views
from accounts.people import views as people_views
from accounts.staff import opening_views

app_name = "accounts"
ORGANIZATION = "settings/organization/<slug:slug>/"
MEMBER = f"{ORGANIZATION}members/<slug:public_id>/"
USER = "settings/users/<slug:public_id>/"
INVITATION = f"{ORGANIZATION}invitations/<slug:public_id>/"
urlpatterns = [
    path("settings/profile/", views.profile, name="profile"),
    path("settings/security/", views.security, name="security"),
    path("settings/organizations/", organization_views.organizations, name="organizations"),
    path(ORGANIZATION, organization_views.general, name="organization"),
    path(f"{ORGANIZATION}name/", organization_views.name, name="organization_name"),
    path(f"{ORGANIZATION}usage-visibility/", organization_views.usage_visibility, name="usage_visibility"),
    path(f"{ORGANIZATION}departure/", organization_views.departure, name="departure"),
    path(f"{ORGANIZATION}members/", member_views.members, name="members"),
    path(f"{MEMBER}role/", member_views.role, name="role"),
    path(f"{MEMBER}removal/", member_views.removal, name="removal"),
    path(f"{ORGANIZATION}invitations/", member_views.invitations, name="invitations"),
    path(f"{INVITATION}resending/", member_views.resending, name="invitation_resending"),
    path(f"{INVITATION}revocation/", member_views.revocation, name="invitation_revocation"),
    path(f"{ORGANIZATION}audit/", audit_views.audit_log, name="audit"),
    path(f"{ORGANIZATION}audit/export.csv", audit_views.export, name="audit_export"),
    path("settings/users/", people_views.users, name="users"),
    path(USER, people_views.user, name="user"),
    path(f"{USER}deactivation/", people_views.deactivation, name="user_deactivation"),
    path(f"{USER}reactivation/", people_views.reactivation, name="user_reactivation"),
    path(f"{USER}signing-out/", people_views.signing_out, name="user_signing_out"),
    path(f"{USER}password-reset/", people_views.password_reset, name="user_password_reset"),
    path(f"{USER}second-factor/", people_views.second_factor, name="user_second_factor"),
    path("settings/customers/leaving/", opening_views.leaving, name="leaving"),
    path("settings/customers/<slug:slug>/opening/", opening_views.opening, name="opening"),
    path("invitations/<slug:token>/", invitation_views.invitation, name="invitation"),
    path("invitations/<slug:token>/acceptance/", invitation_views.acceptance, name="invitation_acceptance"),
    path("invitations/<slug:token>/registration/", invitation_views.registration, name="invitation_registration"),
]
