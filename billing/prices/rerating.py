"""Changes of the price book: what a change would do, the change itself, and the re-rating that follows from it.

To add, to end and to correct a price are one thing: from a day on, one scope has this price, or none. Prices are dated by
their start alone, so no change can make them overlap. What was rated and is on a final invoice is never rated anew; usage
without a price may get one at any time, and what it then costs is a “late usage” line of the next invoice.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.installation import time_limits
from accounts.models import Organization
from accounts.periods import month_of, next_month
from billing.budgets import looks
from billing.line_items import priced_by
from billing.models import CostAdjustment, LineItem, Price, PriceChange
from billing.payer_history import PAYER, payer_join
from billing.prices import rating, unrated
from billing.prices.book import FIRST_DATE, SMALLEST_STEP
from metering import isolation, price_words, service_tiers
from metering.measures import UsageType
from metering.models import Model
from metering.rollups import run
from metering.rollups.touched import touch

CONCERNED: Final = """
usage.day >= %(start)s
AND (%(model)s::bigint IS NULL OR sku.model_id = %(model)s AND item.line_item = ANY (%(line_items)s))
AND (%(organization)s::bigint IS NULL OR usage.organization_id = %(organization)s OR buyer.payer_id = %(organization)s)
"""
# The rows whose cost the book in this transaction sees otherwise than what is stored. A row that vanishes has no price
# any more and is none that must have one.
EFFECT_SQL: Final = f"""
CREATE TEMPORARY TABLE price_effect ON COMMIT DROP AS
WITH expected AS ({rating.cost_of(rating.ALL_USAGE, CONCERNED)}),
stored AS (
    SELECT cost.*
    FROM billing_dailycost AS cost
    JOIN metering_sku AS sku ON sku.id = cost.sku_id
    JOIN accounts_organization AS organization ON organization.id = cost.organization_id
    {payer_join("cost.organization_id", "cost.day")}
    WHERE cost.day >= %(start)s
      AND (%(model)s::bigint IS NULL OR sku.model_id = %(model)s AND cost.line_item = ANY (%(line_items)s))
      AND (%(organization)s::bigint IS NULL OR cost.organization_id = %(organization)s OR {PAYER} = %(organization)s)
)
SELECT organization_id, day, sku_id, line_item, stored.amount AS amount_before, expected.amount AS amount_after
FROM expected FULL JOIN stored USING (organization_id, day, sku_id, line_item)
WHERE (stored.unit_price, stored.price_id) IS DISTINCT FROM (expected.unit_price, expected.price_id)
   OR (stored.organization_id IS NULL) <> (expected.organization_id IS NULL)
"""
IS_FINAL: Final = "invoice.kind = 'invoice' AND invoice.state IN ('open', 'paid')"
# The documents that charge what changes, and the last month of such usage on each: those of its own month, and those that
# charge it later, as late usage.
CLOSED_SQL: Final = f"""
WITH changed AS (
    SELECT DISTINCT effect.organization_id, sku.model_id, effect.line_item,
        date_trunc('month', effect.day::timestamp)::date AS month
    FROM price_effect AS effect JOIN metering_sku AS sku ON sku.id = effect.sku_id
    WHERE effect.amount_before IS NOT NULL AND effect.amount_before IS DISTINCT FROM effect.amount_after
),
closed AS (
    SELECT invoice.number, changed.month
    FROM (SELECT DISTINCT organization_id, month FROM changed) AS changed
    JOIN accounts_organization AS organization ON organization.id = changed.organization_id
    {payer_join("changed.organization_id", "changed.month")}
    JOIN billing_invoice AS invoice
        ON invoice.payer_id = {PAYER} AND invoice.month = changed.month AND {IS_FINAL}
    UNION
    SELECT invoice.number, changed.month
    FROM changed
    JOIN billing_invoiceline AS line
        ON (line.organization_id, line.usage_month, line.model_id, line.line_item)
         = (changed.organization_id, changed.month, changed.model_id, changed.line_item)
    JOIN billing_invoice AS invoice ON invoice.id = line.invoice_id AND {IS_FINAL}
)
SELECT number, max(month) FROM closed GROUP BY number ORDER BY max(month), number
"""
SUMMARY_SQL: Final = """
SELECT organization.name, min(effect.day), max(effect.day), count(DISTINCT effect.day),
    coalesce(sum(amount_before), 0), coalesce(sum(amount_after), 0), bool_or(amount_before IS NULL)
FROM price_effect AS effect JOIN accounts_organization AS organization ON organization.id = effect.organization_id
WHERE amount_before IS DISTINCT FROM amount_after
GROUP BY organization.id, organization.name
ORDER BY abs(coalesce(sum(amount_after), 0) - coalesce(sum(amount_before), 0)) DESC, organization.name
"""
DAYS_SQL: Final = """
SELECT day, coalesce(sum(amount_before), 0), coalesce(sum(amount_after), 0)
FROM price_effect WHERE amount_before IS DISTINCT FROM amount_after
GROUP BY day ORDER BY day
"""
MAX_NAMED_INVOICES: Final = 3


class PriceRefusedError(ValueError):
    """A price that the book cannot take; the message says why."""


class ClosedMonthError(PriceRefusedError):
    """A change that would alter what final invoices charge. `first_open_date` is the first day from which it may hold."""

    def __init__(self, documents: list[tuple[str, date]]) -> None:
        self.first_open_date = next_month(month_of(documents[-1][1])).start
        named = ", ".join(number for number, _ in documents[:MAX_NAMED_INVOICES])
        more = f" and {len(documents) - MAX_NAMED_INVOICES} more" if len(documents) > MAX_NAMED_INVOICES else ""
        super().__init__(
            f"This would change what final invoices charge ({named}{more}). Let the price begin on"
            f" {self.first_open_date} or later, or void those invoices with credit notes first."
        )


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One price: from `effective_date` on, a unit of `line_item` costs `unit_price`; None ends pricing.

    None in `usage_type`, `service_tier`, `batch`, `provider`, `speed` or `region` holds for every value; no organization means
    everybody.
    """

    model: Model
    line_item: LineItem
    effective_date: date
    unit_price: Decimal | None
    organization: Organization | None = None
    usage_type: UsageType | None = None
    service_tier: int | None = None
    batch: bool | None = None
    provider: int | None = None
    speed: int | None = None
    region: int | None = None
    context_band: int = 0

    def __post_init__(self) -> None:
        """Raises PriceRefusedError for a price that cannot be stored exactly, or holds from before the calendar."""
        if self.unit_price is not None:
            if not self.unit_price.is_finite() or self.unit_price < 0:
                raise PriceRefusedError("A price cannot be below zero.")
            if self.unit_price >= 10**12 or self.unit_price % SMALLEST_STEP:
                raise PriceRefusedError("A price has 12 digits after the point at most, and 12 before it.")
        if self.effective_date < FIRST_DATE:
            raise PriceRefusedError(f"A price begins on {FIRST_DATE} at the earliest.")

    @property
    def scope(self) -> dict[str, Any]:
        """What a row of the book has one price for at a time."""
        return {
            "organization": self.organization,
            "model": self.model,
            "line_item": self.line_item,
            "usage_type": self.usage_type,
            "service_tier": self.service_tier,
            "batch": self.batch,
            "provider": self.provider,
            "speed": self.speed,
            "region": self.region,
            "context_band": self.context_band,
        }

    def __str__(self) -> str:
        parts = [
            self.model.name,
            self.line_item.label,
            self.usage_type.label if self.usage_type else "",
            f"{service_tiers.names().get(self.service_tier, self.service_tier)} tier" if self.service_tier else "",
            {True: "batch", False: "not batch", None: ""}[self.batch],
            *price_words.described(self, price_words.names()),
            f"above {self.context_band:,} tokens" if self.context_band else "",
            f"for {self.organization.name}" if self.organization else "",
        ]
        return ", ".join(part for part in parts if part)[:200]


@dataclass(frozen=True)
class OrganizationEffect:
    """What a change does to one organization. `had_unpriced`: some of that usage had no price before."""

    name: str
    first_day: date
    last_day: date
    num_days: int
    before: Decimal
    after: Decimal
    had_unpriced: bool

    @property
    def difference(self) -> Decimal:
        return self.after - self.before


@dataclass(frozen=True)
class DayEffect:
    """What a change does to the costs of one UTC day, of all organizations together."""

    day: date
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return self.after - self.before


@dataclass(frozen=True)
class Effect:
    """What a change would do. `refusal` says why it cannot be made."""

    old_unit_price: Decimal | None
    organizations: tuple[OrganizationEffect, ...]
    days: tuple[DayEffect, ...]
    refusal: PriceRefusedError | None

    @property
    def before(self) -> Decimal:
        return sum((day.before for day in self.days), start=Decimal(0))

    @property
    def after(self) -> Decimal:
        return sum((day.after for day in self.days), start=Decimal(0))


def preview(terms: Terms, *, source: str = "preview") -> Effect:
    """Which days and organizations the change would alter, by how much. Nothing is kept."""
    if terms.model.pk is None:
        return Effect(None, (), (), None)
    with transaction.atomic(), connection.cursor() as cursor:
        time_limits.take_long(cursor)
        savepoint = transaction.savepoint()
        old_unit_price = _write(terms, source=source)
        find_effect(cursor, start=terms.effective_date, terms=terms, organization=terms.organization)
        closed = _closed(cursor)
        cursor.execute(SUMMARY_SQL)
        organizations = tuple(OrganizationEffect(*row) for row in cursor.fetchall())
        cursor.execute(DAYS_SQL)
        days = tuple(DayEffect(*row) for row in cursor.fetchall())
        transaction.savepoint_rollback(savepoint)
    return Effect(old_unit_price, organizations, days, ClosedMonthError(closed) if closed else None)


def change_price(terms: Terms, *, actor: Actor, source: str = "") -> PriceChange:
    """Put the price into the book, with an audit entry, and note what is to be rated again. `re_rate` then does it.

    The amounts before and after are kept row by row. Raises ClosedMonthError, with nothing changed.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        run.lock(cursor, wait=True)
        unrated.lock_changes(cursor)
        if terms.model.pk is None:  # unless usage has brought it meanwhile
            terms = replace(terms, model=Model.objects.get_or_create(name=terms.model.name)[0])
        old_unit_price = _write(terms, source=source or f"set by {actor.name}"[:120], actor=actor)
        find_effect(cursor, start=terms.effective_date, terms=terms, organization=terms.organization)
        if closed := _closed(cursor):
            raise ClosedMonthError(closed)
        change = PriceChange.objects.create(
            organization=terms.organization,
            model=terms.model,
            scope=str(terms),
            effective_date=terms.effective_date,
            old_unit_price=old_unit_price,
            unit_price=terms.unit_price,
            requested_by=actor.user,
        )
        keep_adjustments(cursor, change)
        _record(change, terms, actor)
    return change


def find_effect(cursor: Any, *, start: date, terms: Terms | None, organization: Organization | None) -> None:
    """Make the table `price_effect`: what the book as it is now changes from `start` on, in what the terms concern."""
    cursor.execute(
        EFFECT_SQL,
        {
            "start": start,
            "model": terms.model.pk if terms else None,
            "line_items": priced_by(terms.line_item) if terms else [],
            "organization": organization.pk if organization else None,
        },
    )


def keep_adjustments(cursor: Any, change: PriceChange) -> None:
    """Keep the amounts before and after of `price_effect` with the change, which then knows how many days there are to do."""
    cursor.execute(
        "INSERT INTO billing_costadjustment"
        " (price_change_id, organization_id, day, sku_id, line_item, amount_before, amount_after)"
        " SELECT %s, * FROM price_effect ORDER BY day, organization_id, sku_id, line_item",
        [change.pk],
    )
    cursor.execute("SELECT count(DISTINCT day) FROM price_effect")
    (change.num_days,) = cursor.fetchone()
    change.save(update_fields=["num_days"])
    cursor.execute("DROP TABLE price_effect")


def re_rate_waiting() -> int:
    """Do the re-rating of every change that is not finished; returns the number of days done. Safe to call twice."""
    changes = PriceChange.objects.filter(finished_at__isnull=True).order_by("id")
    return sum(isolation.do_each("re_rate", changes, re_rate, name=lambda change: f"change {change.pk}"))


def re_rate(change: PriceChange) -> int:
    """Rate the change's days again, each in a transaction of its own; returns how many it did. Goes on where one stopped."""
    num_days = 0
    while _re_rate_next_day(change.pk):
        num_days += 1
    change.refresh_from_db()
    return num_days


def _re_rate_next_day(change_id: int) -> bool:
    """False when the change is finished."""
    with transaction.atomic(), connection.cursor() as cursor:
        run.lock(cursor, wait=True)
        change = PriceChange.objects.select_for_update().get(pk=change_id)
        if change.finished_at is not None:
            return False
        if change.num_days_done == change.num_days:
            cursor.execute("UPDATE billing_pricechange SET finished_at = clock_timestamp() WHERE id = %s", [change_id])
            return False
        days = CostAdjustment.objects.filter(price_change=change).values_list("day", flat=True).distinct()
        day = days.order_by("day")[change.num_days_done]
        touched = touch(cursor, "billing_costadjustment WHERE price_change_id = %s AND day = %s", [change_id, day])
        look = rating.rate_again(cursor, touched)
        change.num_days_done += 1
        change.save(update_fields=["num_days_done"])
    looks.take(look)
    return True


def _write(terms: Terms, *, source: str, actor: Actor | None = None) -> Decimal | None:
    """Put the row into the book; returns the price that the book had for that very day, also if it came just now."""
    said = {"unit_price": terms.unit_price, "source": source, "created_by": actor.user if actor else None}
    found, is_new = Price.objects.get_or_create(**terms.scope, effective_date=terms.effective_date, defaults=said)
    if is_new:
        return None
    Price.objects.filter(pk=found.pk).update(**said)
    return found.unit_price


def rows_of_scope(terms: Terms) -> "QuerySet[Price]":
    """The rows of the book for exactly what the terms are for, of all days."""
    return Price.objects.filter(
        **{
            f"{name}__isnull" if value is None else name: True if value is None else value
            for name, value in terms.scope.items()
        }
    )


def _closed(cursor: Any) -> list[tuple[str, date]]:
    cursor.execute(CLOSED_SQL)
    return list(cursor.fetchall())


def _record(change: PriceChange, terms: Terms, actor: Actor) -> None:
    audit.record(
        "price.changed",
        actor=actor,
        organization=terms.organization,
        target_id=str(change.pk),
        target_name=str(terms),
        details={
            "effective_date": str(terms.effective_date),
            "unit_price": None if terms.unit_price is None else str(terms.unit_price),
            "old_unit_price": None if change.old_unit_price is None else str(change.old_unit_price),
            "num_days": change.num_days,
        },
    )
