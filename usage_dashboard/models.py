"""What the product measures of itself for Prometheus (`usage_dashboard.monitoring`), which backups were made of it, and which
steps of the set-up staff wants to see no more."""

from django.db import models

from accounts.models import User
from billing.money import EXACT_DIGITS


class Timing(models.Model):
    """How many requests or runs of a task took at most so many seconds, and more than the bound below; ever, never less.

    `kind` and `outcome` are those of `monitoring.timings`, `name` an address's pattern or a task. `at_most` may be infinite.
    """

    pk = models.CompositePrimaryKey("kind", "name", "outcome", "at_most")
    kind = models.CharField(max_length=8)
    name = models.CharField(max_length=300)
    outcome = models.CharField(max_length=8)
    at_most = models.FloatField()
    number = models.BigIntegerField()
    seconds = models.FloatField()

    def __str__(self) -> str:
        return f"{self.name} {self.outcome}: {self.number} in {self.at_most} s"


class LeadingOrganization(models.Model):
    """What one of the organizations that cost most cost and used in a UTC month, or all others together."""

    name = models.CharField(max_length=60, primary_key=True)
    month = models.DateField()
    cost = models.DecimalField(max_digits=EXACT_DIGITS, decimal_places=12)
    tokens = models.DecimalField(max_digits=EXACT_DIGITS, decimal_places=0)
    measured_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}, {self.month:%Y-%m}: {self.cost}"


class Backup(models.Model):
    """A file that `manage.py backup` made, with everything that was acknowledged before `as_of`."""

    as_of = models.DateTimeField()
    name = models.CharField(max_length=255)
    num_bytes = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name}, {self.as_of:%Y-%m-%d %H:%M}"


class DismissedStep(models.Model):
    """A step of the set-up (`overview.checklist`) that this installation does without."""

    step = models.CharField(max_length=40, primary_key=True)
    dismissed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    dismissed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.step
