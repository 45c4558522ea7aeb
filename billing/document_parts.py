"""What documents have beside their lines: their parts by UTC day, which credit is reckoned by, the seller's logo, and numbers."""

from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from accounts.models import Organization
from billing.money import BILLED_DIGITS


class BilledDay(models.Model):
    """What a document charges of an organization's usage of one UTC day: its lines, told apart by day.

    Credit pays what all documents of the payer charge by day (`billing.invoices.credits`).
    """

    invoice = models.ForeignKey("billing.Invoice", on_delete=models.PROTECT, related_name="billed_days")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    amount = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invoice", "organization", "day"], name="billed_day_unique")]
        indexes = [models.Index(fields=["organization", "day"], name="billed_day_by_organization")]

    def __str__(self) -> str:
        return f"{self.day}: {self.amount}"


class DocumentLogo(models.Model):
    """A PNG that documents name by its digest, SHA-256 in hexadecimal. It never changes, nor goes while one names it."""

    digest = models.CharField(max_length=64, primary_key=True)
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    digest=Func(
                        F("body"), template="encode(sha256(%(expressions)s), 'hex')", output_field=models.CharField()
                    )
                ),
                name="document_logo_digest",
            ),
        ]

    def __str__(self) -> str:
        return self.digest


class NumberSeries(models.Model):
    """The last number given out in a series of documents. Its row is locked until the document is committed: no gaps."""

    name = models.CharField(max_length=20, primary_key=True)
    last_number = models.IntegerField()

    class Meta:
        verbose_name_plural = "number series"

    def __str__(self) -> str:
        return f"{self.name}-{self.last_number:04d}"
