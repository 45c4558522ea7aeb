"""Money that went back to a payer out of their balance."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Organization, User
from billing.money import BILLED_DIGITS


class BalanceRefund(models.Model):
    """Staff or accounting paid `amount` dollars of a payer's balance back. Rows never change, and the database refuses
    one that is more than the balance (see the migration). `reference` is the caller's, and taken once.
    """

    payer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="balance_refunds")
    amount = models.DecimalField(max_digits=BILLED_DIGITS, decimal_places=2)
    reference = models.CharField(max_length=120, blank=True)
    refunded_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="balance_refund_amount_positive"),
            models.UniqueConstraint(
                fields=["payer", "reference"], condition=~Q(reference=""), name="balance_refund_reference_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payer_id}: {self.amount}"
