"""What changed since somebody last looked, so that nobody has to look at everything."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from accounts.models import Organization


class CostChange(models.Model):
    """How often the costs of an organization's days changed in months that are over, or end within a day.

    Whoever reads the number before the costs notices by it whatever is committed later.
    """

    organization_id = models.BigIntegerField(primary_key=True)
    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.number}"


class MadeDraft(models.Model):
    """A payer's month was drafted, invoice or not, from what `version` stands for (`billing.invoices.drafts`)."""

    payer = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    month = models.DateField(db_index=True)
    version = models.CharField(max_length=32)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["payer", "month"], name="made_draft_unique")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} of {self.payer_id}: {self.version}"


class BudgetLook(models.Model):
    """Costs of these organizations changed, and their budgets are to be looked at: written with the costs, removed after it."""

    organization_ids = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{self.organization_ids}"
