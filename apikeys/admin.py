"""Staff's look at keys and tokens. Digests are never shown, and nothing that authentication depends on is edited here."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from accounts.admin import ReadOnlyAdmin
from apikeys.models import AdminKey, APIKey, IngestToken, TrackingChange, VisibilityRequest


@admin.register(APIKey)
class APIKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "redacted", "user", "tracked", "created_at", "last_used_at", "expires_at", "revoked_at"]
    list_filter = ["tracked", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["name", "public_id", "redacted", "user__email"]
    ordering = ["-id"]
    fields = [
        "public_id",
        "name",
        "redacted",
        "user",
        "tracked",
        "created_at",
        "last_used_at",
        "expires_at",
        "previous_expires_at",
        "revoked_at",
        "switches",
    ]
    readonly_fields = ["switches"]

    @admin.display(description="Switches of tracking")
    def switches(self, api_key: APIKey) -> str:
        """To their list, which has pages: there can be thousands."""
        return format_html(
            '<a href="{}?q={}">List</a>', reverse("admin:apikeys_trackingchange_changelist"), api_key.public_id
        )


@admin.register(AdminKey)
class AdminKeyAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "redacted",
        "organization",
        "scopes",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    ]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization"]
    search_fields = ["name", "public_id", "redacted", "organization__name"]
    ordering = ["-created_at", "-id"]
    fields = [
        "public_id",
        "name",
        "redacted",
        "organization",
        "created_by",
        "scopes",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    ]


@admin.register(IngestToken)
class IngestTokenAdmin(ReadOnlyAdmin):
    list_display = ["name", "redacted", "created_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name"]
    ordering = ["-created_at", "-id"]
    fields = ["name", "redacted", "created_at", "revoked_at"]


@admin.register(TrackingChange)
class TrackingChangeAdmin(ReadOnlyAdmin):
    list_display = ["api_key", "tracked", "effective_at"]
    list_filter = ["tracked"]
    list_select_related = ["api_key"]
    search_fields = ["api_key__name", "api_key__public_id", "api_key__user__email"]
    ordering = ["-id"]


@admin.register(VisibilityRequest)
class VisibilityRequestAdmin(ReadOnlyAdmin):
    list_display = ["user", "organization", "asked_by", "asked_at"]
    list_select_related = ["user", "organization", "asked_by"]
    search_fields = ["user__email", "organization__name"]
    ordering = ["-asked_at", "-id"]
