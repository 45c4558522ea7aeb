"""What usage costs: dated prices, the daily cost that follows from them, and credit."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Organization, User
from metering.measures import ServiceTier, UsageType
from metering.models import Model


class LineItem(models.IntegerChoices):
    """The disjoint parts of usage that are priced. `billing.line_items` says how each is computed from the measures."""

    INPUT = 1, "input"
    CACHED_INPUT = 2, "cached input"
    CACHE_WRITE = 3, "cache write"
    AUDIO_INPUT = 4, "audio input"
    OUTPUT = 5, "output"
    AUDIO_OUTPUT = 6, "audio output"
    REQUEST = 7, "request"
    IMAGE = 8, "image"
    SECOND = 9, "second"
    CHARACTER = 10, "character"
    BYTE_DAY = 11, "byte-day"
    SESSION = 12, "session"


class Price(models.Model):
    """The price of one unit from `effective_date` (a UTC day) until the next row of the same scope; null ends pricing.

    Dated by their start alone, prices can neither overlap nor leave a gap by accident. Empty `usage_type`, `service_tier`
    or `batch` hold for every value; the most specific row wins, and a negotiated price (with `organization`) before a
    general one. `context_band` is the input size above which the price holds.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, blank=True)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="prices")
    line_item = models.SmallIntegerField(choices=LineItem.choices)
    usage_type = models.SmallIntegerField(choices=UsageType.choices, null=True, blank=True)
    service_tier = models.SmallIntegerField(choices=ServiceTier.choices, null=True, blank=True)
    batch = models.BooleanField(null=True, blank=True)
    context_band = models.IntegerField(default=0)
    effective_date = models.DateField()
    unit_price = models.DecimalField(max_digits=24, decimal_places=12, null=True, blank=True)
    source = models.CharField(max_length=120)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "model",
                    "line_item",
                    "organization",
                    "usage_type",
                    "service_tier",
                    "batch",
                    "context_band",
                    "effective_date",
                ],
                name="price_unique",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="price_not_negative"),
            models.CheckConstraint(condition=Q(context_band__gte=0), name="price_context_band_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.model}, {self.get_line_item_display()}: {self.unit_price} from {self.effective_date}"


class PriceSource(models.Model):
    """When a model was looked up in the default price list, so that each model is looked up once per release of the list."""

    model = models.OneToOneField(Model, on_delete=models.PROTECT, primary_key=True, related_name="price_source")
    release = models.CharField(max_length=60)
    provider = models.CharField(max_length=60, blank=True)
    provider_model = models.CharField(max_length=128, blank=True)
    checked_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.model}: {self.provider_model or 'not listed'} ({self.release})"


class DailyCost(models.Model):
    """Cost per UTC day, SKU and line item of an organization: `amount` = `quantity` × `unit_price`, null where no price is known.

    A pure function of OrganizationDailyUsage and the price book. The cost of a user or key is its own quantity × this
    row's `unit_price`, so that every breakdown adds up to these rows.
    """

    pk = models.CompositePrimaryKey("organization_id", "day", "sku_id", "line_item")
    organization_id = models.BigIntegerField()
    day = models.DateField()
    sku_id = models.IntegerField()
    line_item = models.SmallIntegerField(choices=LineItem.choices)
    quantity = models.DecimalField(max_digits=38, decimal_places=0)
    unit_price = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    amount = models.DecimalField(max_digits=50, decimal_places=12, null=True)
    price_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(unit_price__isnull=True, amount__isnull=True) | Q(amount=F("quantity") * F("unit_price")),
                name="daily_cost_is_quantity_times_price",
            )
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.amount}"


class CreditGrant(models.Model):
    """Money that pays usage of its own life time, in order of expiry, then priority (product.md, section 6)."""

    class Category(models.TextChoices):
        PAID = "paid", "Paid"
        PROMOTIONAL = "promotional", "Promotional"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="credit_grants")
    name = models.CharField(max_length=120)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    category = models.CharField(max_length=12, choices=Category.choices)
    priority = models.SmallIntegerField(default=50)
    effective_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_grant_amount_positive"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("effective_at")),
                name="credit_grant_expires_after_start",
            ),
            models.CheckConstraint(
                condition=Q(category__in=["paid", "promotional"]),
                name="credit_grant_category_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name
