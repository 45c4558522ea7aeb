"""Usage that waits for the default price list to be asked, and which providers' prices it was asked for."""

from django.db import models
from django.db.models.functions import Now

from metering.models import Model


class WaitingUsage(models.Model):
    """A row of OrganizationDailyUsage whose model, or the model at its provider, was not looked up in the default price list
    when it was rated.

    `billing.prices.new_models` looks the model up, rates the row again, and deletes this one.
    """

    pk = models.CompositePrimaryKey("organization_id", "day", "sku_id")
    organization_id = models.BigIntegerField()
    day = models.DateField()
    sku_id = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.organization_id}, {self.day}, {self.sku_id}"


class ProviderPriceSource(models.Model):
    """When a model was looked up in the default price list for a provider that events name, by its number in SKUs."""

    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="+")
    provider = models.SmallIntegerField()
    release = models.CharField(max_length=60)
    checked_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "provider"], name="provider_price_source_unique")]

    def __str__(self) -> str:
        return f"{self.model}, {self.provider} ({self.release})"
