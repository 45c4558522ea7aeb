"""Staff's look at people and organizations. What routing depends on is changed by the domain functions, not here."""
# ruff: noqa: ARG002 - the hooks of Django's admin have fixed arguments

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import DefaultOrganizationChange, Membership, Organization, User


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


@admin.register(User)
class UserAdmin(KeptAdmin):
    list_display = ["email", "name", "default_organization", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff"]
    list_select_related = ["default_organization"]
    search_fields = ["email", "name", "public_id"]
    ordering = ["email"]
    fields = ["public_id", "email", "name", "default_organization", "is_active", "is_staff", "created_at", "last_login"]
    readonly_fields = ["public_id", "email", "default_organization", "created_at", "last_login"]


@admin.register(Organization)
class OrganizationAdmin(KeptAdmin):
    list_display = ["name", "slug", "parent", "usage_visibility", "is_personal", "created_at"]
    list_filter = ["usage_visibility", "is_personal"]
    list_select_related = ["parent"]
    search_fields = ["name", "slug", "public_id"]
    ordering = ["name", "id"]
    autocomplete_fields = ["parent"]
    fields = ["public_id", "name", "slug", "parent", "usage_visibility", "is_personal", "created_at"]
    readonly_fields = ["public_id", "slug", "is_personal", "created_at"]


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ["user", "organization", "role", "joined_at", "left_at"]
    list_filter = ["role", ("left_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "organization"]
    search_fields = ["user__email", "user__name", "organization__name", "organization__slug"]
    ordering = ["-joined_at", "-id"]


@admin.register(DefaultOrganizationChange)
class DefaultOrganizationChangeAdmin(ReadOnlyAdmin):
    list_display = ["user", "organization", "effective_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["user__email", "organization__name"]
    ordering = ["-effective_at", "-id"]
