"""Staff's look at models, SKUs and the batches that came in. Usage itself is read on the pages."""

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from metering.models import IngestBatch, Model, Sku, Verification


@admin.register(Model)
class ModelAdmin(ReadOnlyAdmin):
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    ordering = ["name"]


@admin.register(Sku)
class SkuAdmin(ReadOnlyAdmin):
    list_display = ["model", "usage_type", "service_tier", "batch", "context_band"]
    list_filter = ["usage_type", "service_tier", "batch"]
    list_select_related = ["model"]
    search_fields = ["model__name"]
    ordering = ["model__name", "id"]


@admin.register(IngestBatch)
class IngestBatchAdmin(ReadOnlyAdmin):
    list_display = ["id", "received_at", "num_events", "first_occurred_at", "last_occurred_at", "rolled_up_at"]
    list_filter = [("rolled_up_at", admin.EmptyFieldListFilter)]
    ordering = ["-id"]
    show_full_result_count = False


@admin.register(Verification)
class VerificationAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "finished_at", "first_day", "last_day", "num_rows", "num_different"]
    list_filter = ["started_at"]
    ordering = ["-started_at"]
