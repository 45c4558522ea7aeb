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
from metering.models import (
    DailyUsage,
    HourlyUsage,
    Model,
    MonthlyUsage,
    OrganizationDailyUsage,
    OrganizationHourlyUsage,
    Sku,
    UntrackedDailyUsage,
    UntrackedHourlyUsage,
    UserDailyUsage,
    UserHourlyUsage,
)


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
    sku, _ = Sku.objects.get_or_create(
        model=found,
        usage_type=usage_type,
        service_tier=1,
        batch=False,
        context_band=0,
        in_both_units=False,
        provider=0,
        speed=0,
        region=0,
        output_is_split=False,
    )
    return sku


def add_usage(organization: Organization, day: date, user: User, key: APIKey | None, sku: Sku, **measures: int) -> None:
    """A day's usage, in the rows of the key's day and month and of the user's and organization's day; no key is untracked
    usage."""
    amounts = {name: measures.get(name, 0) for name in MEASURES}
    whose: dict[str, object] = {"organization_id": organization.pk, "sku_id": sku.pk}
    person = {**whose, "user_id": user.pk}
    who = {**person, "api_key_id": key.pk if key else 0}
    DailyUsage.objects.create(**who, day=day, **amounts)
    _add(MonthlyUsage, {**who, "month": day.replace(day=1)}, amounts)
    _add(UserDailyUsage, {**person, "day": day}, amounts)
    _add(OrganizationDailyUsage, {**whose, "day": day}, amounts)
    if key is None:
        _add(UntrackedDailyUsage, {**whose, "day": day}, amounts)


def add_hour(
    organization: Organization, hour: datetime, user: User, key: APIKey | None, sku: Sku, **measures: int
) -> None:
    """An hour's usage, in the rows of the key's, user's and organization's hour."""
    amounts = {name: measures.get(name, 0) for name in MEASURES}
    whose: dict[str, object] = {"organization_id": organization.pk, "sku_id": sku.pk, "hour": hour}
    person = {**whose, "user_id": user.pk}
    HourlyUsage.objects.create(**person, api_key_id=key.pk if key else 0, **amounts)
    _add(UserHourlyUsage, person, amounts)
    _add(OrganizationHourlyUsage, whose, amounts)
    if key is None:
        _add(UntrackedHourlyUsage, whose, amounts)


def _add(rows: type[models.Model], where: dict[str, object], amounts: dict[str, int]) -> None:
    """Adds to the row with this key, or makes it."""
    added = rows._default_manager.filter(**where).update(**{name: F(name) + amount for name, amount in amounts.items()})
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
