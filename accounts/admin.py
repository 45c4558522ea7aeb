"""Staff's look at people and organizations. What routing depends on is changed by the domain functions, not here."""
# ruff: noqa: ARG002 - the hooks of Django's admin have fixed arguments

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from accounts.audit.log import details_of
from accounts.models import (
    AuditEvent,
    DefaultOrganizationChange,
    Invitation,
    Membership,
    Organization,
    SecurityEvent,
    User,
)
from accounts.staff.superusers import LastSuperuserError, require_another

OF_ORGANIZATION: Final = "organization__id__exact"
BY_ACTOR: Final = "actor__id__exact"


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that staff may look at and nobody may edit here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class KeptAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that staff may edit in part; they are made and ended by the domain functions alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _links(*links: tuple[str, str, dict[str, str | int]]) -> SafeString:
    """Links to lists of the admin site: label, name of the list, query."""
    return format_html_join(
        " · ",
        '<a href="{}?{}">{}</a>',
        ((reverse(f"admin:{name}_changelist"), urlencode(query), label) for label, name, query in links),
    )


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    """What staff may change of a person; read in the transaction that saves it."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not all(self.cleaned_data.get(name, True) for name in ("is_active", "is_staff")):
            try:
                require_another(self.instance)
            except LastSuperuserError as error:
                raise forms.ValidationError(str(error)) from error
        return cleaned


@admin.register(User)
class UserAdmin(KeptAdmin):
    form = UserForm
    list_display = ["email", "name", "default_organization", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff"]
    list_select_related = ["default_organization"]
    search_fields = ["email", "name", "public_id"]
    ordering = ["email"]
    fields = [
        "public_id",
        "email",
        "name",
        "default_organization",
        "is_active",
        "is_staff",
        "groups",
        "created_at",
        "last_login",
        "pages",
    ]
    readonly_fields = ["public_id", "email", "default_organization", "created_at", "last_login", "pages"]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Accounts of staff are changed by superusers alone, as on the page Users."""
        is_of_staff = obj is not None and (obj.is_staff or obj.is_superuser)
        return super().has_change_permission(request, obj) and (request.user.is_superuser or not is_of_staff)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Only superusers say who is staff, and by groups what staff may do; nobody raises themselves."""
        rights = [] if request.user.is_superuser else ["is_staff", "groups"]
        return [*super().get_readonly_fields(request, obj), *rights]

    @admin.display(description="Lists")
    def pages(self, user: User) -> str:
        """Where staff goes from here."""
        return _links(
            ("API keys", "apikeys_apikey", {"q": user.email}),
            ("Memberships", "accounts_membership", {"q": user.email}),
            ("What they did", "accounts_auditevent", {BY_ACTOR: user.pk}),
            ("Sign-ins", "accounts_securityevent", {"q": user.email}),
        )


@admin.register(Organization)
class OrganizationAdmin(KeptAdmin):
    list_display = ["name", "slug", "parent", "usage_visibility", "is_personal", "created_at"]
    list_filter = ["usage_visibility", "is_personal"]
    list_select_related = ["parent"]
    search_fields = ["name", "slug", "public_id"]
    ordering = ["name", "id"]
    fields = ["public_id", "name", "slug", "parent", "usage_visibility", "is_personal", "created_at", "pages"]
    # The parent pays: `manage.py change_payer` changes it, with what follows for prices and invoices.
    readonly_fields = ["public_id", "slug", "parent", "is_personal", "created_at", "pages"]

    @admin.display(description="Lists")
    def pages(self, organization: Organization) -> str:
        """Where staff goes from here."""
        return _links(
            ("Members", "accounts_membership", {OF_ORGANIZATION: organization.pk}),
            ("Invitations", "accounts_invitation", {OF_ORGANIZATION: organization.pk}),
            ("Audit log", "accounts_auditevent", {OF_ORGANIZATION: organization.pk}),
        )


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ["user", "organization", "role", "joined_at", "left_at"]
    list_filter = ["role", ("left_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "organization"]
    linked_from = (OF_ORGANIZATION,)
    search_fields = ["user__email", "user__name", "organization__name", "organization__slug"]
    ordering = ["-id"]


@admin.register(DefaultOrganizationChange)
class DefaultOrganizationChangeAdmin(ReadOnlyAdmin):
    list_display = ["user", "organization", "effective_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["user__email", "organization__name"]
    ordering = ["-id"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["email", "organization", "role", "invited_by", "sent_at", "expires_at", "accepted_at", "revoked_at"]
    list_filter = ["role", ("accepted_at", admin.EmptyFieldListFilter), ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization", "invited_by"]
    linked_from = (OF_ORGANIZATION,)
    search_fields = ["email", "organization__name", "invited_by__email"]
    ordering = ["-created_at", "-id"]
    exclude = ["digest"]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["occurred_at", "event", "target_name", "actor_name", "organization", "address"]
    list_filter = ["event"]
    list_select_related = ["organization"]
    linked_from = (OF_ORGANIZATION, BY_ACTOR)
    search_fields = ["actor_name", "target_name", "target_id", "organization__name"]
    date_hierarchy = "occurred_at"
    ordering = ["-id"]
    show_full_result_count = False
    exclude = ["details"]
    readonly_fields = ["shown_details"]

    @admin.display(description="Details")
    def shown_details(self, event: AuditEvent) -> str:
        return details_of(event)


@admin.register(SecurityEvent)
class SecurityEventAdmin(ReadOnlyAdmin):
    list_display = ["occurred_at", "event", "user", "method", "address", "user_agent"]
    list_filter = ["event"]
    list_select_related = ["user"]
    search_fields = ["user__email", "address"]
    ordering = ["-id"]
    show_full_result_count = False
