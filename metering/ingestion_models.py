"""What came in, for the operator: counts by way in and sender, the last refused items, and keys that nobody here has."""

from django.db import models
from django.db.models.functions import Now


class Source(models.TextChoices):
    """A way in for usage. A new one is added here."""

    NATIVE = "native", "Events"
    RESPONSES = "responses", "Provider responses"
    LITELLM = "litellm", "LiteLLM"
    OTLP = "otlp", "OpenTelemetry"
    CLOUDEVENTS = "cloudevents", "CloudEvents"
    IMPORT = "import", "Import"
    TEST = "test", "Test form"


class Kind(models.TextChoices):
    """What became of an item. UNREADABLE counts requests of which no item was looked at; all others count items."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting"
    REJECTED = "rejected"
    IGNORED = "ignored"
    NORMALISED = "normalised"
    UNREADABLE = "unreadable"


class Grain(models.TextChoices):
    """Counts are kept by minute for a day, by hour for 30 days, and by day for 13 months (`metering.rollups.retention`)."""

    MINUTE = "minute", "Minutes"
    HOUR = "hour", "Hours"
    DAY = "day", "Days"


class IngestCount(models.Model):
    """How many items of a kind came in from `began_at` on, for one `grain` (UTC), or ever (`received.writing.EVER`).

    `token_id` is the ingest token, 0 for all API keys together, -1 for nobody who is known. `code` is the refusal's, or the
    rule's by which something was ignored or normalised.
    """

    pk = models.CompositePrimaryKey("grain", "began_at", "source", "token_id", "kind", "code")
    grain = models.CharField(max_length=6)
    began_at = models.DateTimeField()
    source = models.CharField(max_length=20)
    token_id = models.BigIntegerField()
    kind = models.CharField(max_length=12)
    code = models.CharField(max_length=60, blank=True)
    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.began_at}: {self.number} {self.kind} {self.code}"


class RefusedItem(models.Model):
    """One of the last items that were refused, without its payload. The table is unlogged, and kept a day.

    `organization_id` is where the named key's usage counts, 0 if that is not known. `key` is a key's public id, or the
    beginning of a digest.
    """

    at = models.DateTimeField(db_default=Now())
    source = models.CharField(max_length=20)
    token_id = models.BigIntegerField()
    organization_id = models.BigIntegerField()
    code = models.CharField(max_length=60)
    message = models.CharField(max_length=300)
    key = models.CharField(max_length=40, blank=True)
    event_id = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.at}: {self.code}"


class UnknownKey(models.Model):
    """A key that events named and nobody here has: its public id, or the beginning of its digest."""

    key = models.CharField(max_length=40, primary_key=True)
    source = models.CharField(max_length=20)
    token_id = models.BigIntegerField()
    num_events = models.BigIntegerField()
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.key
