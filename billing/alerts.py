"""Budgets, what staff were told of, the addresses of webhooks, and the one outbox of everything that is to be sent."""

from dataclasses import dataclass
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.installation import encryption
from accounts.models import Organization
from billing.money import EXACT_DIGITS
from metering.models import Model

WEBHOOK_SECRETS: Final = "webhook secrets"


def default_thresholds() -> list[int]:
    return [50, 80, 100]


class BudgetKind(models.IntegerChoices):
    """What a budget is about. The label stands for it in addresses, webhooks and the answers to gateways."""

    ORGANIZATION = 1, "organization"
    PROJECT = 2, "project"
    API_KEY = 3, "api_key"
    USER = 4, "user"
    MODEL = 5, "model"
    ATTRIBUTE = 6, "attribute"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a budget is about in its organization: all of it, the row of a kind with an id, or an attribute's value.

    `value` is empty but for an attribute, of which it is 'name:value'.
    """

    kind: BudgetKind = BudgetKind.ORGANIZATION
    target_id: int = 0
    value: str = ""


WHOLE_ORGANIZATION: Final = Scope()


class OfScope(models.Model):
    """The columns of a `Scope`."""

    kind = models.SmallIntegerField(choices=BudgetKind.choices, default=BudgetKind.ORGANIZATION)
    target_id = models.BigIntegerField(default=0)
    value = models.CharField(max_length=100, default="", blank=True)

    class Meta:
        abstract = True

    @property
    def scope(self) -> Scope:
        return Scope(BudgetKind(self.kind), self.target_id, self.value)


def _names_its_target() -> Q:
    by_id = (BudgetKind.PROJECT, BudgetKind.API_KEY, BudgetKind.USER, BudgetKind.MODEL)
    return (
        Q(kind=BudgetKind.ORGANIZATION, target_id=0, value="")
        | Q(kind__in=by_id, target_id__gt=0, value="")
        | (Q(kind=BudgetKind.ATTRIBUTE, target_id=0) & ~Q(value=""))
    )


class Budget(OfScope):
    """What may be spent in a UTC month on a part of an organization or on all of it; alerts at shares of it in percent.

    A parent's budget covers its children, too. A hard budget ends the month's API use of what it is about when it is spent.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="budgets", db_index=False
    )  # budget_scope_unique begins with it
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    thresholds = ArrayField(models.PositiveSmallIntegerField(), default=default_thresholds, blank=True)
    is_hard = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="budget_amount_positive"),
            models.CheckConstraint(condition=_names_its_target(), name="budget_names_its_target"),
            models.UniqueConstraint(fields=["organization", "kind", "target_id", "value"], name="budget_scope_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.organization}, {self.get_kind_display()}: {self.amount}"


class BudgetAlert(OfScope):
    """A threshold that was crossed in a month. There is one row for each at most, so there is one alert.

    `is_forecast`: the month is expected to end above the budget; it has not crossed it yet.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    month = models.DateField()
    threshold = models.PositiveSmallIntegerField()
    is_forecast = models.BooleanField(default=False)
    spent = models.DecimalField(max_digits=EXACT_DIGITS, decimal_places=12)
    budget_amount = models.DecimalField(max_digits=14, decimal_places=2)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "month", "kind", "target_id", "value", "threshold", "is_forecast"],
                name="budget_alert_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.threshold}%"


class UnpricedAlert(models.Model):
    """Staff were told that a model's usage of a line item and UTC month has no price. One row, one alert.

    `line_item` is a `billing.models.LineItem`.
    """

    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="+")
    line_item = models.SmallIntegerField()
    usage_month = models.DateField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "line_item", "usage_month"], name="unpriced_alert_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.usage_month:%Y-%m}: {self.model_id}, {self.line_item}"


class WebhookFormat(models.TextChoices):
    """What a webhook's receiver understands."""

    STANDARD = "standard", "Signed JSON, for a program of yours"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"
    DISCORD = "discord", "Discord"


class News(models.TextChoices):
    """What an organization can be told of, by the type of the message."""

    BUDGET = "budget.threshold_reached", "Budget thresholds"
    FORECAST = "budget.forecast_exceeded", "Forecasts above the budget"
    INVOICE = "invoice.finalized", "Invoices"
    KEY_CREATED = "api_key.created", "New API keys"
    KEY_REVOKED = "api_key.revoked", "Revoked API keys"
    ADMIN_KEY_CREATED = "admin_key.created", "New admin keys"
    ADMIN_KEY_REVOKED = "admin_key.revoked", "Revoked admin keys"


class StaffNews(models.TextChoices):
    """What the operator's staff can be told of, by the type of the message."""

    PROOF = "proof.drift", "Differences that the nightly proof finds"
    BEHIND = "rollups.behind", "Rollups that are behind"
    FAILED = "task.item_failed", "Items on which a task fails, batches that are set aside among them"
    UNPRICED = "usage.unpriced", "Usage without a price"
    HELD = "invoice.held", "Invoices that are on hold"
    TOKEN_CREATED = "ingest_token.created", "New ingest tokens"
    TOKEN_REVOKED = "ingest_token.revoked", "Revoked ingest tokens"


NEWS_IN_WORDS: Final = {kind.value: str(kind.label) for kind in (*News, *StaffNews)}


class WebhookEndpoint(models.Model):
    """Where an organization wants to hear of its budget, invoices and keys (see `billing.notices.endpoints`); without an
    organization, where the operator's staff wants to hear of the installation. Owners see those of their organization alone.

    The address of a chat's webhook lets whoever has it write there: it is the secret, and `url` only names it. `event_types`
    are those of News, or of StaffNews, that are sent there; without any, all are.

    `disabled_at`: its owners removed it. `failing_since`: no delivery succeeded since; it is not asked before
    `retry_at`, and switched off in the end. `is_quick`: it took its latest message within a second or two; one that is new
    has yet to show that.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="webhook_endpoints"
    )
    url = models.URLField(max_length=500)
    format = models.CharField(max_length=8, choices=WebhookFormat, db_default=WebhookFormat.STANDARD)
    event_types = ArrayField(models.CharField(max_length=60), default=list)
    encrypted_secret = models.CharField(max_length=1000)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    disabled_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    num_failures = models.IntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    switched_off_at = models.DateTimeField(null=True)
    is_quick = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "url"],
                condition=Q(disabled_at__isnull=True),
                nulls_distinct=False,
                name="webhook_endpoint_unique",
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def is_chat(self) -> bool:
        return self.format != WebhookFormat.STANDARD

    @property
    def told_of(self) -> str:
        """What is sent there, in words."""
        return ", ".join(NEWS_IN_WORDS[each].lower() for each in self.event_types) or "everything"

    @property
    def secret(self) -> str:
        """`whsec_…`, which signs what is sent there, or a chat's whole address. Raises UnreadableSecretError."""
        return encryption.decrypt(self.encrypted_secret, purpose=WEBHOOK_SECRETS)


class Delivery(models.Model):
    """One message to one recipient: written with what it tells of, sent once, tried again until it is out or given up.

    `recipient` is an email address or the address of the endpoint. `organization` is the one that the message is for, if it
    is not for staff; owners see it. `claimed_until`: a worker is sending it; if that one
    dies, others may from then on. `num_attempts` counts those that began.
    """

    message_id = models.CharField(max_length=40)
    event_type = models.CharField(max_length=60)
    recipient = models.CharField(max_length=500)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, null=True, related_name="deliveries")
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    num_attempts = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now(), null=True)
    claimed_until = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["message_id", "recipient"], name="delivery_unique")]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="delivery_waiting"
            ),
            models.Index(fields=["claimed_until"], condition=Q(claimed_until__isnull=False), name="delivery_claimed"),
            models.Index(
                fields=["organization", "-id"], condition=Q(organization__isnull=False), name="delivery_of_organization"
            ),
            models.Index(fields=["-id"], condition=Q(organization__isnull=True), name="delivery_to_staff"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} to {self.recipient}"
