"""Staff's look at prices and credit. Stored prices and grants are history: a correction is a new row, or a voided grant."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin import KeptAdmin, ReadOnlyAdmin
from billing.models import CreditGrant, Price, PriceSource

GRANT_TERMS = ["organization", "name", "amount", "category", "priority", "effective_at", "expires_at"]


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    list_display = [
        "model",
        "line_item",
        "unit_price",
        "effective_date",
        "organization",
        "usage_type",
        "service_tier",
        "batch",
        "context_band",
        "source",
    ]
    list_filter = ["line_item", "usage_type", "service_tier", ("organization", admin.EmptyFieldListFilter)]
    list_select_related = ["model", "organization"]
    search_fields = ["model__name", "organization__name", "source"]
    date_hierarchy = "effective_date"
    ordering = ["model__name", "line_item", "-effective_date", "id"]


@admin.register(PriceSource)
class PriceSourceAdmin(ReadOnlyAdmin):
    list_display = ["model", "provider", "provider_model", "release", "checked_at"]
    list_filter = ["provider", "release"]
    list_select_related = ["model"]
    search_fields = ["model__name", "provider_model"]
    ordering = ["model__name"]


@admin.register(CreditGrant)
class CreditGrantAdmin(KeptAdmin):
    list_display = ["name", "organization", "amount", "category", "priority", "effective_at", "expires_at", "voided_at"]
    list_filter = ["category", ("voided_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization"]
    search_fields = ["name", "organization__name", "organization__slug"]
    autocomplete_fields = ["organization"]
    date_hierarchy = "effective_at"
    ordering = ["-effective_at", "-id"]
    fields = [*GRANT_TERMS, "voided_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_creditgrant")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002 - fixed by Django
        """A grant that exists can only be voided."""
        return [] if obj is None else GRANT_TERMS
