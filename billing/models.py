"""What usage costs: dated prices, the daily cost that follows from them, credit and invoices.

What stands in other modules (`billing.alerts`, `payer_history`, `document_parts`, `refunds`, `waiting`, `changes`) is imported
here, because Django looks for models here.
"""

from enum import StrEnum

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

import billing.alerts
import billing.changes.kept
import billing.document_parts
import billing.payer_history
import billing.refunds
import billing.waiting  # noqa: F401
from accounts.models import Organization, User
from billing.money import BILLED_DIGITS, EXACT_DIGITS, QUANTITY_DIGITS
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
    LONG_CACHE_WRITE = 13, "long cache write"
    IMAGE_INPUT = 14, "image input"
    VIDEO_INPUT = 15, "video input"
    IMAGE_OUTPUT = 16, "image output"


class Price(models.Model):
    """The price of one unit from `effective_date` (a UTC day) until the next row of the same scope; null ends pricing.

    Dated by their start alone, prices can neither overlap nor leave a gap by accident. What is empty of `usage_type` to `region`
    holds for every value; the most specific row wins, and a negotiated price (with `organization`) before a general one.
    `context_band` is the input size above which the price holds.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, blank=True)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="prices")
    line_item = models.SmallIntegerField(choices=LineItem.choices)
    usage_type = models.SmallIntegerField(choices=UsageType.choices, null=True, blank=True)
    service_tier = models.SmallIntegerField(choices=ServiceTier.choices, null=True, blank=True)
    batch = models.BooleanField(null=True, blank=True)
    provider = models.SmallIntegerField(null=True, blank=True)
    speed = models.SmallIntegerField(null=True, blank=True)
    region = models.SmallIntegerField(null=True, blank=True)
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
                    *("model", "line_item", "organization", "usage_type", "service_tier", "batch"),
                    *("provider", "speed", "region", "context_band", "effective_date"),
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
    quantity = models.DecimalField(max_digits=QUANTITY_DIGITS, decimal_places=0)
    unit_price = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    amount = models.DecimalField(max_digits=EXACT_DIGITS, decimal_places=12, null=True)
    price_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(unit_price__isnull=True, amount__isnull=True) | Q(amount=F("quantity") * F("unit_price")),
                name="daily_cost_is_quantity_times_price",
            )
        ]
        indexes = [models.Index(fields=["sku_id"], condition=Q(unit_price__isnull=True), name="daily_cost_unpriced")]

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
                condition=Q(category__in=["paid", "promotional"]), name="credit_grant_category_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Reason(StrEnum):
    """Why days are rated again."""

    PRICE = "a price was changed"
    PAYER = "another organization pays"


class PriceChange(models.Model):
    """A change of one price, or of who pays for an organization (`reason`), and the re-rating that follows from it.

    A change of a price names the model. `old_unit_price` is the price that was in the book for that very day, null if there
    was none. The work is done when `finished_at` is set; until then the task goes on at the first day that is not done.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="+")
    model = models.ForeignKey(Model, on_delete=models.PROTECT, null=True, related_name="+")
    scope = models.CharField(max_length=200)
    effective_date = models.DateField()
    old_unit_price = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    unit_price = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    num_days = models.IntegerField(default=0)
    num_days_done = models.IntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(num_days_done__lte=F("num_days")), name="price_change_days_done"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(finished_at__isnull=True), name="price_change_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} from {self.effective_date}"

    @property
    def reason(self) -> Reason:
        return Reason.PAYER if self.model_id is None else Reason.PRICE


class CostAdjustment(models.Model):
    """What a price change did to one row of daily cost: the amount before it and after it, null where there was no price."""

    price_change = models.ForeignKey(PriceChange, on_delete=models.PROTECT, related_name="adjustments")
    organization_id = models.BigIntegerField()
    day = models.DateField()
    sku_id = models.IntegerField()
    line_item = models.SmallIntegerField(choices=LineItem.choices)
    amount_before = models.DecimalField(max_digits=EXACT_DIGITS, decimal_places=12, null=True)
    amount_after = models.DecimalField(max_digits=EXACT_DIGITS, decimal_places=12, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["price_change", "organization_id", "day", "sku_id", "line_item"], name="cost_adjustment_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.amount_before} → {self.amount_after}"


class BillingDetails(models.Model):
    """Whom an organization's invoices are made out to, and on which terms; empty terms are the installation's (settings).

    `tax_rate` is a fraction: 0.19 is 19%.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, primary_key=True, related_name="billing_details"
    )
    legal_name = models.CharField(max_length=160, blank=True)
    address = models.TextField(max_length=500, blank=True)
    tax_id = models.CharField(max_length=40, blank=True)
    tax_name = models.CharField(max_length=20, blank=True)
    tax_rate = models.DecimalField(max_digits=6, decimal_places=5, null=True, blank=True)
    due_days = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "billing details"
        constraints = [
            models.CheckConstraint(condition=Q(tax_rate__gte=0, tax_rate__lt=1), name="billing_details_tax_rate"),
            models.CheckConstraint(condition=Q(due_days__lte=365), name="billing_details_due_days"),
        ]

    def __str__(self) -> str:
        return self.legal_name or str(self.organization_id)


class Invoice(models.Model):
    """What a payer owes for a calendar month, or the credit note that takes such an invoice back.

    A draft is computed again with every run. Once it is final it has a number and never changes but in its state: the
    database refuses everything else (see the migration). `seller` and `buyer` are the addresses as they were then.
    A draft with `held_at` should be final and is not, until staff decide (`billing.invoices.holds`); they were told of it at
    `held_told_at`. `due` is what is to be paid: the total and what the document changes the payer's balance by
    (`billing.invoices.balance`). `place` counts the payer's final documents in the order in which they were issued.
    """

    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"
        CREDIT_NOTE = "credit_note", "Credit note"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        PAID = "paid", "Paid"
        VOID = "void", "Void"

    kind = models.CharField(max_length=11, choices=Kind.choices, default=Kind.INVOICE)
    state = models.CharField(max_length=5, choices=State.choices, default=State.DRAFT)
    payer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="invoices")
    month = models.DateField()
    number = models.CharField(max_length=20, null=True)
    place = models.IntegerField(null=True)
    corrects = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="credit_note")
    seller = models.JSONField(default=dict)
    buyer = models.JSONField(default=dict)
    tax_name = models.CharField(max_length=20, default="Tax")
    tax_rate = models.DecimalField(max_digits=6, decimal_places=5, default=0)
    subtotal = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2, default=0)
    credits = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2, default=0)
    tax = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2, default=0)
    total = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2, default=0)
    balance_change = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2, default=0)
    due = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2, default=0)
    issue_date = models.DateField(null=True)
    due_date = models.DateField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    held_at = models.DateTimeField(null=True)
    held_told_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["number"], name="invoice_number_unique"),
            models.UniqueConstraint(fields=["payer", "place"], name="invoice_place_unique"),
            models.UniqueConstraint(
                fields=["payer", "month"],
                condition=Q(kind="invoice") & ~Q(state="void"),
                name="invoice_payer_month_unique",
            ),
            models.CheckConstraint(
                condition=Q(state="draft", number__isnull=True, issue_date__isnull=True, due_date__isnull=True)
                | (~Q(state="draft") & Q(number__isnull=False, issue_date__isnull=False, due_date__isnull=False)),
                name="invoice_numbered_when_final",
            ),
            models.CheckConstraint(
                condition=Q(state="draft", place__isnull=True) | (~Q(state="draft") & Q(place__isnull=False)),
                name="invoice_placed_when_final",
            ),
            models.CheckConstraint(
                condition=Q(total=F("subtotal") - F("credits") + F("tax")), name="invoice_total_is_sum"
            ),
            models.CheckConstraint(condition=Q(due=F("total") + F("balance_change")), name="invoice_due_is_sum"),
            models.CheckConstraint(
                condition=Q(kind="invoice", due__gte=0) | Q(kind="credit_note", due__lte=0),
                name="invoice_due_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind="invoice", corrects__isnull=True) | Q(kind="credit_note", corrects__isnull=False),
                name="invoice_credit_note_corrects",
            ),
            models.CheckConstraint(condition=Q(month__day=1), name="invoice_month_is_first_day"),
            models.CheckConstraint(condition=Q(held_at__isnull=True) | Q(state="draft"), name="invoice_held_as_draft"),
        ]
        indexes = [models.Index(fields=["payer"], condition=Q(held_at__isnull=False), name="invoice_held")]

    def __str__(self) -> str:
        return self.number or f"draft {self.month:%Y-%m} for {self.payer_id}"


class InvoiceLine(models.Model):
    """Usage of one model and line item in one organization and usage month: all that was not on an invoice before.

    Over all documents the amounts of a key sum to its cost, rounded once, half even, to the cent.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="+")
    line_item = models.SmallIntegerField(choices=LineItem.choices)
    usage_month = models.DateField()
    quantity = models.DecimalField(max_digits=QUANTITY_DIGITS, decimal_places=0)
    amount = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "organization", "model", "line_item", "usage_month"], name="invoice_line_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "usage_month", "model", "line_item"], name="invoice_line_by_key"),
        ]

    def __str__(self) -> str:
        return f"{self.usage_month:%Y-%m} {self.get_line_item_display()}: {self.amount}"


class CreditApplication(models.Model):
    """What a grant pays of an invoice. Below zero it gives back what a correction made unnecessary."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_applications")
    grant = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, related_name="applications")
    amount = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invoice", "grant"], name="credit_application_unique")]

    def __str__(self) -> str:
        return f"{self.grant}: {self.amount}"


class MonthClose(models.Model):
    """How far the closing of a month is. `finalized_at`: after the days of grace every payer's turn came; those that failed
    then, or are held, are tried again by themselves."""

    month = models.DateField(primary_key=True)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    num_payers = models.IntegerField(default=0)
    num_payers_done = models.IntegerField(default=0)
    finalized_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.num_payers_done} of {self.num_payers}"
