"""What is common to tables of usage: the measures of an event, and their sums by hour, day and month."""

from decimal import Decimal

from django.db import models


def _measure() -> "models.BigIntegerField[int | None, int | None]":
    return models.BigIntegerField(null=True)


class EventMeasures(models.Model):
    """The measures of one event. Null is none: 36% less to store and a third less to sum than zeros would be."""

    num_model_requests = _measure()
    input_tokens = _measure()
    input_cached_tokens = _measure()
    input_cache_write_tokens = _measure()
    input_cache_write_long_tokens = _measure()
    input_audio_tokens = _measure()
    input_image_tokens = _measure()
    input_video_tokens = _measure()
    output_tokens = _measure()
    output_audio_tokens = _measure()
    output_image_tokens = _measure()
    output_reasoning_tokens = _measure()
    images = _measure()
    seconds = _measure()
    characters = _measure()
    usage_bytes = _measure()
    num_sessions = _measure()

    class Meta:
        abstract = True


def _sum() -> "models.DecimalField[Decimal, Decimal]":
    return models.DecimalField(max_digits=38, decimal_places=0)


def _later_sum() -> "models.DecimalField[Decimal, Decimal]":
    """Of a measure that came later: 0 in rows from before it, and in those of processes that do not know it yet."""
    return models.DecimalField(max_digits=38, decimal_places=0, db_default=0)


class RollupMeasures(models.Model):
    """Sums of the measures. Whole numbers of up to 38 digits, because two large events may exceed 64 bits together."""

    num_model_requests = _sum()
    input_tokens = _sum()
    input_cached_tokens = _sum()
    input_cache_write_tokens = _sum()
    input_cache_write_long_tokens = _later_sum()
    input_audio_tokens = _sum()
    input_image_tokens = _later_sum()
    input_video_tokens = _later_sum()
    output_tokens = _sum()
    output_audio_tokens = _sum()
    output_image_tokens = _later_sum()
    output_reasoning_tokens = _later_sum()
    images = _sum()
    seconds = _sum()
    characters = _sum()
    usage_bytes = _sum()
    num_sessions = _sum()

    class Meta:
        abstract = True


class UsageOfHours(RollupMeasures):
    """Sums per UTC hour and SKU; each table tells more apart, in its primary key."""

    organization_id = models.BigIntegerField()
    hour = models.DateTimeField()
    sku_id = models.IntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.hour}: {self.num_model_requests} requests"


class UsageOfDays(RollupMeasures):
    """Sums per UTC day and SKU; each table tells more apart, in its primary key."""

    organization_id = models.BigIntegerField()
    day = models.DateField()
    sku_id = models.IntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.day}: {self.num_model_requests} requests"


class UsageOfMonths(RollupMeasures):
    """Sums per calendar month (UTC, named by its first day) and SKU; each table tells more apart, in its primary key."""

    organization_id = models.BigIntegerField()
    month = models.DateField()
    sku_id = models.IntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.num_model_requests} requests"
