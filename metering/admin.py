"""Staff's look at models, SKUs and the batches that came in. Usage itself is read on the pages."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin import ReadOnlyAdmin
from metering import isolation
from metering.models import FailedItem, IngestBatch, Model, Sku, Verification


@admin.register(Model)
class ModelAdmin(ReadOnlyAdmin):
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    ordering = ["name"]


@admin.register(Sku)
class SkuAdmin(ReadOnlyAdmin):
    list_display = ["model", "usage_type", "service_tier", "batch", "provider", "speed", "region", "context_band"]
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


@admin.register(FailedItem)
class FailedItemAdmin(ReadOnlyAdmin):
    """What a task failed on. A row goes when its item succeeds."""

    list_display = ["task", "item", "num_attempts", "last_error", "last_failed_at", "next_attempt_at"]
    list_filter = ["task", ("next_attempt_at", admin.EmptyFieldListFilter)]
    search_fields = ["item"]
    ordering = ["-last_failed_at", "-id"]
    actions = ["try_again"]

    @admin.action(description="Try again", permissions=["view"])
    def try_again(self, request: HttpRequest, chosen: QuerySet[FailedItem]) -> None:
        self.message_user(request, f"Tried again soon: {isolation.try_again(chosen)}", messages.SUCCESS)
