"""Driving the money: usage of a day in the organization's rollup, prices in the book, and the rating of both."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from django.db import connection, transaction
from django.db.models import Sum

from accounts.audit.audit import Actor
from accounts.models import Organization
from accounts.periods import Period, midnight, month_of
from billing.invoices import closing, invoices
from billing.models import DailyCost, Invoice, LineItem, Price, PriceSource
from billing.money import to_cents
from billing.payer_history import PayerSince
from billing.prices import rating, rerating
from billing.prices.rerating import Terms
from metering.measures import MEASURES
from metering.models import Model, OrganizationDailyUsage
from metering.rollups.touched import touch
from tests.usage.rollup_rows import sku_of

ACTOR: Final = Actor(name="tests")
OCTOBER: Final = month_of(date(2026, 10, 1))
NOVEMBER: Final = month_of(date(2026, 11, 1))
DECEMBER: Final = month_of(date(2026, 12, 1))
CENT: Final = Decimal("0.01")


def at(day: str) -> datetime:
    """00:00 UTC of an ISO day."""
    return midnight(date.fromisoformat(day))


def model_of(name: str) -> Model:
    """A model that the default price list is not asked about."""
    model = sku_of(name).model
    PriceSource.objects.get_or_create(model=model, defaults={"release": "tests"})
    return model


def set_price(
    model: str,
    unit_price: str | None,
    *,
    start: str = "2026-01-01",
    line_item: LineItem = LineItem.INPUT,
    organization: Organization | None = None,
) -> Price:
    """A row of the book, as if it had always been there: nothing is rated again."""
    return Price.objects.create(
        model=model_of(model),
        line_item=line_item,
        organization=organization,
        effective_date=date.fromisoformat(start),
        unit_price=None if unit_price is None else Decimal(unit_price),
        source="tests",
    )


def terms(
    model: str,
    unit_price: str | None,
    *,
    start: str,
    line_item: LineItem = LineItem.INPUT,
    organization: Organization | None = None,
) -> Terms:
    return Terms(
        model=model_of(model),
        line_item=line_item,
        organization=organization,
        effective_date=date.fromisoformat(start),
        unit_price=None if unit_price is None else Decimal(unit_price),
    )


def change_price(wanted: Terms) -> int:
    """Make the change and rate again; returns how many days were rated."""
    return rerating.re_rate(rerating.change_price(wanted, actor=ACTOR))


def use(organization: Organization, day: str | date, model: str, **measures: int) -> None:
    """More usage of a UTC day, rated at once, as a roll-up does it. Measures may be below zero: a correction."""
    day = date.fromisoformat(day) if isinstance(day, str) else day
    model_of(model)
    where = {"organization_id": organization.pk, "day": day, "sku_id": sku_of(model).pk}
    row = OrganizationDailyUsage.objects.filter(**where).first() or OrganizationDailyUsage(
        **where, **dict.fromkeys(MEASURES, Decimal(0))
    )
    for name, amount in measures.items():
        setattr(row, name, getattr(row, name) + amount)
    row.save()
    rate(organization, day)


def rate(organization: Organization, day: date) -> None:
    """The cost of an organization's day, computed again."""
    with transaction.atomic(), connection.cursor() as cursor:
        where = "metering_organizationdailyusage WHERE organization_id = %s AND day = %s"
        rating.rate_again(cursor, touch(cursor, where, [organization.pk, day]))


def close(month: Period, *, days_after: int = 3) -> list[Invoice]:
    """Close the month so many days after its end; the invoices that there are then."""
    now = month.end_at.replace(day=1 + days_after)
    return [progress.invoice for progress in closing.close_month(month, now=now) if progress.invoice is not None]


def release_held(now: datetime) -> list[Invoice]:
    """Staff release everything that is held back, the oldest month first."""
    released: list[Invoice] = []
    while True:
        closing.close_ended_months(now)
        held = Invoice.objects.filter(held_at__isnull=False).order_by("month", "pk").first()
        if held is None:
            return released
        released.append(invoices.release(held, held.total, actor=ACTOR, now=now))


def rounded_costs() -> Decimal:
    """What all documents together must charge before credit and tax: each key's exact cost, rounded once."""
    keys: dict[tuple[object, ...], Decimal] = {}
    for organization_id, day, sku_id, line_item, amount in DailyCost.objects.filter(amount__isnull=False).values_list(
        "organization_id", "day", "sku_id", "line_item", "amount"
    ):
        key = (organization_id, day.replace(day=1), sku_id, line_item)
        keys[key] = keys.get(key, Decimal(0)) + (amount or 0)
    return sum((amount.quantize(CENT) for amount in keys.values()), start=Decimal(0))


def billed_by_hand(payer: Organization) -> dict[date, Decimal]:
    """What a payer's usage costs by UTC day in billed cents, worked out from the exact costs without the product's SQL."""
    parents = dict(Organization.objects.values_list("pk", "parent_id"))
    history = list(PayerSince.objects.order_by("first_month").values_list("organization_id", "first_month", "payer_id"))
    to_date: dict[tuple[object, ...], Decimal] = {}
    days: dict[date, Decimal] = {}
    rows = DailyCost.objects.filter(amount__isnull=False).order_by("day")
    for organization_id, day, *key, amount in rows.values_list(
        "organization_id", "day", "sku_id", "line_item", "amount"
    ):
        month = day.replace(day=1)
        dated = [payer_id for own_id, first, payer_id in history if own_id == organization_id and first <= month]
        if (dated[-1] if dated else parents[organization_id] or organization_id) == payer.pk:
            before = to_date.get((organization_id, month, *key), Decimal(0))
            to_date[organization_id, month, *key] = before + (amount or 0)
            days[day] = days.get(day, Decimal(0)) + to_cents(before + (amount or 0)) - to_cents(before)
    return days


def total_of(field: str) -> Decimal:
    """The sum over all final documents, credit notes included."""
    found = Invoice.objects.exclude(state=Invoice.State.DRAFT).aggregate(total=Sum(field))["total"]
    return Decimal(found or 0)


def moment(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)
