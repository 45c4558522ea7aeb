"""Rows of the rollups, written by hand for page tests: a day's usage of a person, and what it costs."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import models
from django.db.models import F

from accounts.models import Organization, User
from apikeys.models import APIKey
from billing.models import DailyCost, LineItem
from metering.measures import MEASURES, UsageType
from metering.models import DailyUsage, Model, MonthlyUsage, OrganizationDailyUsage, Sku


def make_key(user: User, name: str) -> APIKey:
    """A tracked key whose secret nobody knows."""
    digest = hashlib.sha256(f"{user.pk} {name}".encode()).digest()
    return APIKey.objects.create(
        user=user,
        name=name,
        digest=digest,
        redacted="sk-...q9Z",
        tracked=True,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def sku_of(model: str, usage_type: UsageType = UsageType.COMPLETIONS) -> Sku:
    found, _ = Model.objects.get_or_create(name=model)
    sku, _ = Sku.objects.get_or_create(model=found, usage_type=usage_type, service_tier=1, batch=False, context_band=0)
    return sku


def add_usage(organization: Organization, day: date, user: User, key: APIKey | None, sku: Sku, **measures: int) -> None:
    """A day's usage, in the rows of the key's day and month and of the organization's day; no key is untracked usage."""
    amounts = {name: measures.get(name, 0) for name in MEASURES}
    whose = {"organization_id": organization.pk, "sku_id": sku.pk}
    who = {"user_id": user.pk, "api_key_id": key.pk if key else 0}
    DailyUsage.objects.create(**whose, **who, day=day, **amounts)
    sums: tuple[tuple[type[models.Model], dict[str, object]], ...] = (
        (MonthlyUsage, {**whose, **who, "month": day.replace(day=1)}),
        (OrganizationDailyUsage, {**whose, "day": day}),
    )
    for rows, where in sums:
        added = rows._default_manager.filter(**where).update(
            **{name: F(name) + amount for name, amount in amounts.items()}
        )
        if not added:
            rows._default_manager.create(**where, **amounts)


def add_cost(where: tuple[Organization, date, Sku], line_item: LineItem, quantity: int, unit_price: str | None) -> None:
    """The cost of a line item in an organization on a day; without a price it is unpriced."""
    organization, day, sku = where
    price = None if unit_price is None else Decimal(unit_price)
    DailyCost.objects.create(
        organization_id=organization.pk,
        day=day,
        sku_id=sku.pk,
        line_item=line_item,
        quantity=quantity,
        unit_price=price,
        amount=None if price is None else price * quantity,
    )
