"""What was used: raw events, the batches they came in, and the rollups that pages read.

Tables that grow with usage have `organization_id` first in their key and hold plain ids without foreign keys, so that
they can be distributed by organization and loaded by COPY at full speed.
"""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from metering import attribution_models, ingestion_models  # noqa: F401 - Django finds an app's models through this module
from metering.measured import EventMeasures, RollupMeasures, UsageOfDays, UsageOfHours, UsageOfMonths
from metering.measures import ServiceTier, UsageType
from metering.price_words import Dimension


class Model(models.Model):
    """A model name as the API reports it. Unknown names are added when first seen and stay unpriced until someone prices them."""

    name = models.CharField(max_length=128)
    organization_id = models.BigIntegerField(null=True, editable=False)
    """The organization whose usage was the first of it; null for names from before that was noted, or that staff added."""
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="model_name_unique")]
        indexes = [models.Index(fields=["organization_id", "created_at"], name="model_by_organization")]

    def __str__(self) -> str:
        return self.name


class Sku(models.Model):
    """All that a price can depend on, as one number: a small dictionary that keeps events and rollups narrow.

    `service_tier` is a ServiceTier, or a number of `service_tiers`. `context_band` is the largest threshold of
    `measures.CONTEXT_BANDS` that the request's input exceeded, or 0. `in_both_units`: its events report tokens and also their
    images, seconds or characters, of which one is charged; null for usage from before these were told apart. `provider`,
    `speed` and `region` are numbers of `price_words`, 0 where the event says nothing. `output_is_split`: its events are of
    images and say which of their output tokens are; of others all are. `brought_by` is the organization whose usage was
    the first of it, null where nobody knows.
    """

    id = models.AutoField(primary_key=True)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="skus")
    usage_type = models.SmallIntegerField(choices=UsageType.choices)
    service_tier = models.SmallIntegerField(choices=ServiceTier.choices)
    batch = models.BooleanField()
    context_band = models.IntegerField()
    in_both_units = models.BooleanField(null=True, db_default=False)
    provider = models.SmallIntegerField(default=0, db_default=0)
    speed = models.SmallIntegerField(default=0, db_default=0)
    region = models.SmallIntegerField(default=0, db_default=0)
    output_is_split = models.BooleanField(default=False, db_default=False)
    brought_by = models.BigIntegerField(null=True, editable=False)
    brought_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "SKU"
        indexes = [models.Index(fields=["brought_by", "brought_at"], name="sku_by_organization")]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("model", "usage_type", "service_tier", "batch", "context_band", "in_both_units"),
                    *("provider", "speed", "region", "output_is_split"),
                ],
                name="sku_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model}, {self.get_usage_type_display()}"


class ServiceTierWord(models.Model):
    """A provider's word for a service tier that is none of ServiceTier. Its id, from 100 on, is the number in SKUs."""

    id = models.SmallAutoField(primary_key=True)
    word = models.CharField(max_length=40)
    brought_by = models.BigIntegerField(null=True, editable=False)
    """The organization whose usage was the first of it; null where nobody knows."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["word"], name="service_tier_word_unique")]

    def __str__(self) -> str:
        return self.word


class PriceWord(models.Model):
    """A word for a provider, a speed or a region, in small letters. Its id, from 100 on, is the number in SKUs."""

    id = models.SmallAutoField(primary_key=True)
    dimension = models.SmallIntegerField(choices=Dimension.choices)
    word = models.CharField(max_length=40)
    brought_by = models.BigIntegerField(null=True, editable=False)
    """The organization whose usage was the first of it; null where nobody knows, and for providers of the price list."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dimension", "word"], name="price_word_unique")]

    def __str__(self) -> str:
        return self.word


class IngestBatch(models.Model):
    """One stored request, or several that were committed together. `rolled_up_at` is null until the rollups hold its events."""

    id = models.BigAutoField(primary_key=True)
    received_at = models.DateTimeField(db_default=Now())
    first_occurred_at = models.DateTimeField()
    last_occurred_at = models.DateTimeField()
    num_events = models.IntegerField()
    rolled_up_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "ingest batches"
        constraints = [
            models.CheckConstraint(condition=models.Q(num_events__gt=0), name="ingest_batch_not_empty"),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(rolled_up_at__isnull=True),
                name="ingest_batch_waiting",
            ),
            models.Index(fields=["rolled_up_at"], name="ingest_batch_rolled_up"),
        ]

    def __str__(self) -> str:
        return f"batch {self.id}: {self.num_events} events"


class KeyMinute(models.Model):
    """What an API key has reported by itself in the last minute in which it did so (`metering.intake.key_limits`).

    The table is unlogged: cheap to write, and empty after a crash of the database, which allows a minute too much.
    """

    api_key_id = models.BigIntegerField(primary_key=True)
    minute = models.DateTimeField()
    num_events = models.BigIntegerField()
    num_units = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.minute}: {self.num_events} events"


class UsageEvent(EventMeasures):
    """One event as it was accepted. Append-only; range partitions by UTC day of `occurred_at` (`metering.rollups.partitions`).

    `event_id` is the 128-bit BLAKE2b hash of the caller's id. `routing` holds the bits of `apikeys.routing.Route`:
    why the event counts in this organization, and whether it is attributed to its key. `attribution_id` says what for
    (`metering.attribution_models`); 0 is the default project without attributes.
    """

    pk = models.CompositePrimaryKey("organization_id", "occurred_at", "event_id")
    organization_id = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    event_id = models.UUIDField()
    batch_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    sku_id = models.IntegerField()
    routing = models.SmallIntegerField()
    attribution_id = models.IntegerField(db_default=0)
    corrects = models.UUIDField(null=True)

    class Meta:
        indexes = [BrinIndex(fields=["batch_id"], pages_per_range=32, name="usage_event_batch")]

    def __str__(self) -> str:
        return str(self.event_id)


class HourlyUsage(UsageOfHours):
    """Usage per UTC hour, user, key and SKU. `api_key_id` 0 is untracked usage."""

    pk = models.CompositePrimaryKey("organization_id", "hour", "user_id", "api_key_id", "sku_id")
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()


class DailyUsage(UsageOfDays):
    """Usage per UTC day, user, key and SKU. `api_key_id` 0 is untracked usage."""

    pk = models.CompositePrimaryKey("organization_id", "day", "user_id", "api_key_id", "sku_id")
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["organization_id", "api_key_id", "day"],
                name="daily_usage_by_key",
            ),
            models.Index(
                fields=["organization_id", "user_id", "day"],
                name="daily_usage_by_user",
            ),
        ]


class UserHourlyUsage(UsageOfHours):
    """Usage per user, UTC hour and SKU: a few rows however many keys a user has."""

    pk = models.CompositePrimaryKey("organization_id", "user_id", "hour", "sku_id")
    user_id = models.BigIntegerField()


class UserDailyUsage(UsageOfDays):
    """Usage per user, UTC day and SKU."""

    pk = models.CompositePrimaryKey("organization_id", "user_id", "day", "sku_id")
    user_id = models.BigIntegerField()


class UntrackedHourlyUsage(UsageOfHours):
    """Untracked usage of a whole organization per UTC hour and SKU, which belongs to all its users."""

    pk = models.CompositePrimaryKey("organization_id", "hour", "sku_id")


class UntrackedDailyUsage(UsageOfDays):
    """Untracked usage of a whole organization per UTC day and SKU."""

    pk = models.CompositePrimaryKey("organization_id", "day", "sku_id")


class OrganizationHourlyUsage(UsageOfHours):
    """Usage per UTC hour and SKU of a whole organization."""

    pk = models.CompositePrimaryKey("organization_id", "hour", "sku_id")


class OrganizationDailyUsage(UsageOfDays):
    """Usage per UTC day and SKU of a whole organization: a few rows a day however many keys it has."""

    pk = models.CompositePrimaryKey("organization_id", "day", "sku_id")


class MonthlyUsage(UsageOfMonths):
    """Usage per calendar month, user, key and SKU: what rankings and totals of a month read."""

    pk = models.CompositePrimaryKey("organization_id", "month", "user_id", "api_key_id", "sku_id")
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()


class AttributedHourlyUsage(UsageOfHours):
    """Usage per UTC hour, user, key and what it was for. Only what has an attribution, here and in the tables below."""

    pk = models.CompositePrimaryKey("organization_id", "hour", "user_id", "api_key_id", "attribution_id", "sku_id")
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    attribution_id = models.IntegerField()


class AttributedDailyUsage(UsageOfDays):
    """Usage per UTC day, user, key and what it was for."""

    pk = models.CompositePrimaryKey("organization_id", "day", "user_id", "api_key_id", "attribution_id", "sku_id")
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    attribution_id = models.IntegerField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organization_id", "api_key_id", "day"], name="attributed_daily_by_key"),
            models.Index(fields=["organization_id", "attribution_id", "day"], name="attributed_daily_by_purpose"),
        ]


class AttributedMonthlyTotal(RollupMeasures):
    """Usage per calendar month, user, key and what it was for, of all SKUs of a usage type together: what lists of a page read
    that is narrowed to a value."""

    pk = models.CompositePrimaryKey("organization_id", "month", "attribution_id", "user_id", "api_key_id", "usage_type")
    organization_id = models.BigIntegerField()
    month = models.DateField()
    attribution_id = models.IntegerField()
    user_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    usage_type = models.SmallIntegerField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.num_model_requests} requests"


class ValueHourlyUsage(UsageOfHours):
    """Usage per UTC hour and value of an attribute, and of all its values together; `attribute_id` 0: per project. What has
    none is in no row."""

    pk = models.CompositePrimaryKey("organization_id", "attribute_id", "hour", "value_id", "sku_id")
    attribute_id = models.IntegerField()
    value_id = models.IntegerField()


class ValueDailyUsage(UsageOfDays):
    """Usage per UTC day and value of an attribute, as by hour."""

    pk = models.CompositePrimaryKey("organization_id", "attribute_id", "day", "value_id", "sku_id")
    attribute_id = models.IntegerField()
    value_id = models.IntegerField()


class ValueMonthlyUsage(UsageOfMonths):
    """Usage per calendar month and value of an attribute, as by hour."""

    pk = models.CompositePrimaryKey("organization_id", "attribute_id", "month", "value_id", "sku_id")
    attribute_id = models.IntegerField()
    value_id = models.IntegerField()


class ValueMonthlyTotal(RollupMeasures):
    """Usage per calendar month and value of an attribute, as by hour, of all SKUs of a usage type together: what lists of
    values read, of which there may be thousands."""

    pk = models.CompositePrimaryKey("organization_id", "attribute_id", "month", "value_id", "usage_type")
    organization_id = models.BigIntegerField()
    attribute_id = models.IntegerField()
    month = models.DateField()
    value_id = models.IntegerField()
    usage_type = models.SmallIntegerField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.num_model_requests} requests"


class Verification(models.Model):
    """One proof of the rollups: what was compared, and whether anything differed. Shown to staff; kept for ever."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    first_day = models.DateField(null=True)
    last_day = models.DateField(null=True)
    num_rows = models.BigIntegerField(default=0)
    num_different = models.BigIntegerField(default=0)
    differences = models.JSONField(default=list)
    """The first of them, as [day, layer, number of rows that differ]."""

    def __str__(self) -> str:
        state = "unfinished" if self.finished_at is None else f"drift {self.num_different}"
        return f"{self.started_at:%Y-%m-%d %H:%M}: {state}"


class FailedItem(models.Model):
    """An item of a task that raised, until it succeeds (see `metering.isolation`). Staff see the row and are told.

    `item` is unique within `task`. No `next_attempt_at`: it was given up. `told_at` None: staff do not know yet.
    """

    task = models.CharField(max_length=60)
    item = models.CharField(max_length=200)
    num_attempts = models.IntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    first_failed_at = models.DateTimeField(db_default=Now(), editable=False)
    last_failed_at = models.DateTimeField(db_default=Now())
    next_attempt_at = models.DateTimeField(db_default=Now(), null=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "item"], name="failed_item_unique")]

    def __str__(self) -> str:
        return f"{self.task}: {self.item}"
