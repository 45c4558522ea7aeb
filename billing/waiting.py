"""Usage that waits for the default price list to be asked."""

from django.db import models


class WaitingUsage(models.Model):
    """A row of OrganizationDailyUsage whose model was not looked up in the default price list when it was rated.

    `billing.prices.new_models` looks the model up, rates the row again, and deletes this one.
    """

    pk = models.CompositePrimaryKey("organization_id", "day", "sku_id")
    organization_id = models.BigIntegerField()
    day = models.DateField()
    sku_id = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.organization_id}, {self.day}, {self.sku_id}"
