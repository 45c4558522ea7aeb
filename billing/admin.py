"""Staff's look at prices and credit. Both are changed on pages of their own, with previews and audit entries."""

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin import KeptAdmin, ReadOnlyAdmin
from billing.models import BillingDetails, CreditGrant, Invoice, Price, PriceSource


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
        "provider",
        "speed",
        "region",
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
class CreditGrantAdmin(ReadOnlyAdmin):
    """Grants are given and voided under /settings/credit/, with an audit entry."""

    list_display = ["name", "organization", "amount", "category", "priority", "effective_at", "expires_at", "voided_at"]
    list_filter = ["category", ("voided_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization"]
    search_fields = ["name", "organization__name", "organization__slug"]
    date_hierarchy = "effective_at"
    ordering = ["-effective_at", "-id"]


@admin.register(BillingDetails)
class BillingDetailsAdmin(KeptAdmin):
    """The terms of a payer; empty ones are the installation's. Owners write the rest on their Billing page."""

    list_display = ["organization", "legal_name", "tax_id", "tax_name", "tax_rate", "due_days"]
    list_select_related = ["organization"]
    search_fields = ["organization__name", "legal_name"]
    autocomplete_fields = ["organization"]
    ordering = ["organization__name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_billingdetails")


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["number", "kind", "payer", "month", "total", "state", "issue_date", "due_date"]
    list_filter = ["state", "kind"]
    list_select_related = ["payer"]
    search_fields = ["number", "payer__name"]
    date_hierarchy = "month"
    ordering = ["-month", "-id"]
