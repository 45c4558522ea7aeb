"""The parts of a document by UTC day, which credit is reckoned by."""

from django.db import models

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
