"""What staff see of the price book: its rows, usage without a price, and the changes that were made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, overload
from urllib.parse import urlencode

from django.db import connection
from django.db.models import QuerySet, Sum
from django.urls import reverse

from billing.display import exact_dollars, per_unit
from billing.line_items import UNITS, UNITS_OF_A_PRICE
from billing.models import CostAdjustment, LineItem, Price, PriceChange, Reason
from billing.prices import book
from billing.prices.book import FIRST_DATE
from metering import price_words, service_tiers
from metering.display import compact, long_day

MAX_CHANGES: Final = 20
MAX_OFFERS: Final = 5
UNPRICED_SQL: Final = """
SELECT model.name, cost.line_item, sum(cost.quantity), count(DISTINCT cost.organization_id), min(cost.day), max(cost.day)
FROM billing_dailycost AS cost
JOIN metering_sku AS sku ON sku.id = cost.sku_id
JOIN metering_model AS model ON model.id = sku.model_id
WHERE cost.unit_price IS NULL AND cost.quantity <> 0
GROUP BY model.name, cost.line_item
ORDER BY max(cost.day) DESC, model.name, cost.line_item
OFFSET %(offset)s LIMIT %(limit)s
"""
NUM_UNPRICED_SQL: Final = """
SELECT count(*) FROM (
    SELECT DISTINCT sku.model_id, cost.line_item
    FROM billing_dailycost AS cost JOIN metering_sku AS sku ON sku.id = cost.sku_id
    WHERE cost.unit_price IS NULL AND cost.quantity <> 0
) AS kinds
"""


@dataclass(frozen=True)
class PriceRow:
    """A row of the book, with the addresses where it is corrected and ended."""

    model: str
    line_item: str
    scope: str
    start: str
    price: str
    source: str
    correct_address: str
    end_address: str


@dataclass(frozen=True)
class Offer:
    """What sellers of a model charge for a part, and the address where that is set as its price."""

    sellers: str
    price: str
    address: str


@dataclass(frozen=True)
class UnpricedRow:
    """Usage that has no price, of all organizations together."""

    model: str
    item: LineItem
    quantity: str
    num_organizations: int
    first_day: date
    last_day: date

    @property
    def line_item(self) -> str:
        return self.item.label

    @property
    def days(self) -> str:
        first, last = long_day(self.first_day), long_day(self.last_day)
        return first if first == last else f"{first} to {last}"

    @property
    def price_address(self) -> str:
        return change_address(model=self.model, line_item=self.item.value, effective_date=str(self.first_day))

    def offers(self) -> tuple[Offer, ...]:
        """The prices of the sellers between whom the model's name does not decide, the lowest first."""
        sellers: dict[Decimal, list[str]] = {}
        for listing in book.candidates(self.model):
            if (price := listing.price_on(self.first_day, self.item)) is not None:
                sellers.setdefault(price, []).append(listing.provider)
        return tuple(
            Offer(
                sellers=", ".join(names),
                price=per_unit(price, self.item),
                address=f"{self.price_address}&{urlencode({'amount': _in_usual_unit(price, self.item)})}",
            )
            for price, names in sorted(sellers.items())[:MAX_OFFERS]
        )


@dataclass(frozen=True)
class ChangeRow:
    """A change and how far its re-rating is."""

    pk: int
    scope: str
    start: str
    old_price: str
    price: str
    by: str
    at: str
    num_days: int
    num_days_done: int
    is_finished: bool


@dataclass(frozen=True)
class AdjustmentRow:
    organization: str
    day: str
    before: str
    after: str


def find_prices(search: str) -> QuerySet[Price]:
    """The prices of the models whose name has these letters, each scope's newest first."""
    prices = Price.objects.filter(model__name__icontains=search).select_related("model", "organization")
    return prices.order_by("model__name", "line_item", "organization__name", "context_band", "-effective_date", "id")


def price_rows(prices: Iterable[Price], today: date) -> tuple[PriceRow, ...]:
    """Prices as they are shown."""
    tiers, words = service_tiers.names(), price_words.names()
    return tuple(_price_row(price, today, tiers, words) for price in prices)


class UnpricedUsage(Sequence[UnpricedRow]):
    """All usage without a price, the latest first; only the rows that are asked for are read."""

    def __len__(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(NUM_UNPRICED_SQL)
            return int(cursor.fetchone()[0])

    @overload
    def __getitem__(self, wanted: int) -> UnpricedRow: ...

    @overload
    def __getitem__(self, wanted: slice) -> tuple[UnpricedRow, ...]: ...

    def __getitem__(self, wanted: int | slice) -> UnpricedRow | tuple[UnpricedRow, ...]:
        if isinstance(wanted, int):
            return self[wanted : wanted + 1][0]
        start, stop = wanted.start or 0, wanted.stop
        with connection.cursor() as cursor:
            limit = None if stop is None else max(stop - start, 0)
            cursor.execute(UNPRICED_SQL, {"offset": start, "limit": limit})
            return tuple(_unpriced_row(*columns) for columns in cursor.fetchall())


def _unpriced_row(  # noqa: PLR0913, PLR0917 - the columns of UNPRICED_SQL
    model: str, line_item: int, quantity: Decimal, num_organizations: int, first: date, last: date
) -> UnpricedRow:
    return UnpricedRow(
        model=model,
        item=LineItem(line_item),
        quantity=f"{compact(quantity)} {UNITS[LineItem(line_item)]}",
        num_organizations=num_organizations,
        first_day=first,
        last_day=last,
    )


def change_rows() -> tuple[ChangeRow, ...]:
    """The latest changes."""
    changes = PriceChange.objects.select_related("requested_by").order_by("-id")[:MAX_CHANGES]
    return tuple(change_row(change) for change in changes)


def change_row(change: PriceChange) -> ChangeRow:
    """A change as it is shown; one of a payer has no prices."""
    is_of_price = change.reason == Reason.PRICE
    return ChangeRow(
        pk=change.pk,
        scope=change.scope,
        start=long_day(change.effective_date),
        old_price=_price(change.old_unit_price) if is_of_price else "",
        price=_price(change.unit_price) if is_of_price else "",
        by=change.requested_by.display_name if change.requested_by else "the system",
        at=f"{change.created_at:%Y-%m-%d %H:%M} UTC",
        num_days=change.num_days,
        num_days_done=change.num_days_done,
        is_finished=change.finished_at is not None,
    )


def find_adjustments(change: PriceChange) -> QuerySet[CostAdjustment, Any]:
    """What a change did per organization and day, the latest days first: `before` and `after`."""
    rows = CostAdjustment.objects.filter(price_change=change).values("organization_id", "day")
    sums = rows.annotate(before=Sum("amount_before"), after=Sum("amount_after"))
    return sums.order_by("-day", "organization_id")


def adjustment_rows(found: Sequence[Mapping[str, Any]]) -> tuple[AdjustmentRow, ...]:
    """Adjustments as they are shown."""
    names = _organization_names({row["organization_id"] for row in found})
    return tuple(
        AdjustmentRow(
            organization=names.get(row["organization_id"], f"#{row['organization_id']}"),
            day=long_day(row["day"]),
            before=_amount(row["before"]),
            after=_amount(row["after"]),
        )
        for row in found
    )


def change_address(**initial: object) -> str:
    """Where a price is set, with these fields filled in."""
    return f"{reverse('billing:price_change')}?{urlencode(initial)}"


def _price_row(price: Price, today: date, tiers: Mapping[int, str], words: Mapping[int, str]) -> PriceRow:
    line_item = LineItem(price.line_item)
    scope = [
        price.get_usage_type_display() if price.usage_type else "",
        f"{tiers.get(price.service_tier, price.service_tier)} tier" if price.service_tier else "",
        {True: "batch", False: "not batch", None: ""}[price.batch],
        *price_words.described(price, words),
        f"above {price.context_band:,} tokens" if price.context_band else "",
        price.organization.name if price.organization else "",
    ]
    fields = {
        "model": price.model.name,
        "line_item": price.line_item,
        "organization": price.organization.slug if price.organization else "",
        "usage_type": price.usage_type or "",
        "service_tier": price.service_tier or "",
        "batch": {True: "yes", False: "no", None: ""}[price.batch],
        **{name: getattr(price, name) or "" for name in price_words.DIMENSIONS},
        "context_band": price.context_band,
    }
    amount = "" if price.unit_price is None else _in_usual_unit(price.unit_price, line_item)
    return PriceRow(
        model=price.model.name,
        line_item=line_item.label,
        scope=", ".join(part for part in scope if part),
        start="always" if price.effective_date == FIRST_DATE else long_day(price.effective_date),
        price="Ended" if price.unit_price is None else per_unit(price.unit_price, line_item),
        source=price.source,
        correct_address=change_address(**fields, effective_date=str(price.effective_date), amount=amount),
        end_address=change_address(**fields, effective_date=str(today)),
    )


def _in_usual_unit(unit_price: Decimal, line_item: LineItem) -> str:
    """'2.5' for a price of 0.0000025 per token, as the form of prices takes it."""
    return f"{(unit_price * UNITS_OF_A_PRICE[line_item]).normalize():f}"


def _organization_names(ids: set[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM accounts_organization WHERE id = ANY (%s)", [list(ids)])
        return dict(cursor.fetchall())


def _price(unit_price: Decimal | None) -> str:
    return "none" if unit_price is None else exact_dollars(unit_price)


def _amount(amount: Decimal | None) -> str:
    return "unpriced" if amount is None else exact_dollars(amount)
