"""What usage costs: frozen rows for the Cost page (docs/metrics.md defines each number).

The cost of a user or key is its own quantity × the unit price of the organization's daily cost, so that every breakdown
adds up to the same total. `billing.cost.sql` has the statements.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from accounts.periods import Period, month_of, previous_month
from billing.cost import sql as cost_sql
from billing.cost.leaders import charged_for, leading_parts
from billing.models import CreditGrant, LineItem
from billing.priced_usage import ALL
from metering.usage import sources
from metering.usage.breakdown import Amount
from metering.usage.queries import UsageQuery, fetch

TABLE_PARTS: Final = 20
ZERO: Final = Decimal(0)


@dataclass(frozen=True)
class PartCost:
    """One part and line item over the whole period. `part` None is everything that the table leaves out."""

    part: int | None
    line_item: LineItem
    quantity: Decimal
    amount: Decimal
    unpriced_quantity: Decimal

    @property
    def is_unpriced(self) -> bool:
        return self.unpriced_quantity != 0


@dataclass(frozen=True)
class UnpricedModel:
    """Requests whose usage has, in part or whole, no price yet."""

    model_id: int
    num_requests: int


@dataclass(frozen=True)
class Counted:
    """How many of something there were, and what these cost in all."""

    number: Decimal = ZERO
    amount: Decimal = ZERO


@dataclass(frozen=True)
class Spending:
    """The costs of a period, in the shapes that the Cost page needs. Unpriced usage adds nothing.

    `requests` and `tokens` are those that have a price; `values` the parts that are values of an attribute. `saved` is what
    the cache spared: negative where it cost more.
    """

    slots: tuple[Amount, ...]
    parts: tuple[PartCost, ...]
    unpriced: tuple[UnpricedModel, ...]
    num_parts: int
    amount: Decimal
    days_before: Mapping[date, Decimal]
    requests: Counted = Counted()
    tokens: Counted = Counted()
    values: Counted = Counted()
    saved: Decimal = ZERO

    def amount_of(self, period: Period) -> Decimal:
        """What the days of a period in this month or the one before cost, where the bars are days."""
        return sum((amount for day, amount in self.days().items() if day in period), start=ZERO)

    def days(self) -> dict[date, Decimal]:
        """What each day cost, of the month before and of this one, where the bars are days."""
        days = dict(self.days_before)
        for row in self.slots:
            days[row.slot] = days.get(row.slot, ZERO) + row.amount
        return days


def spending(query: UsageQuery) -> Spending:
    """The costs of the query's period and of the days of the month before.

    The parts are ranked first; every number that is shown comes from one statement.
    """
    charged = charged_for(query)
    leading = leading_parts(query, TABLE_PARTS, charged)
    table = [*leading.parts, *(part for part in leading.beside if part not in leading.parts)]
    return spending_of(query, table, num_parts=leading.num_parts, num_values=leading.num_values, charged=charged)


def spending_of(
    query: UsageQuery,
    table: Sequence[int],
    *,
    num_parts: int,
    num_values: int = 0,
    charged: Sequence[LineItem] = ALL,
) -> Spending:
    """The costs, told apart for the parts of the table, and in the bars for the first of them. The parts that are no values,
    where any are, are in the table."""
    before = previous_month(month_of(query.period.start))
    parameters = (
        query.parameters()
        | sources.leaders_of(table)
        | {
            "table": list(table),
            "before_start": before.start,
            "before_end": before.end,
        }
    )
    found = _by_kind(cost_sql.spending(query, charged), parameters)
    if any(line_item not in charged for _, _, line_item, *_ in found["whole"]):  # it came in meanwhile
        found = _by_kind(cost_sql.spending(query), parameters)
    named = _without_nothing([_part_cost(columns) for columns in found["part"]])
    rest = _rest([_part_cost(columns) for columns in found["whole"]], named) if num_parts > len(table) else []
    amount = sum((amount for _, part, _, _, amount, _ in found["slot"] if part is None), start=ZERO)
    beside = sum(
        (row.amount for row in named if row.part is not None and not query.group.is_value(row.part)), start=ZERO
    )
    ((_, _, _, _, saved, _),) = found["saved"]
    return Spending(
        slots=tuple(_slot_amounts(found["slot"])),
        parts=(*named, *rest),
        unpriced=tuple(UnpricedModel(part, int(quantity)) for _, part, _, quantity, _, _ in found["unpriced"]),
        num_parts=num_parts,
        amount=amount,
        days_before={day: amount for day, _, _, _, amount, _ in found["before"]},
        requests=_counted(found["unit"]),
        tokens=_counted(found["token"]),
        values=Counted(Decimal(num_values), amount - beside) if num_values else Counted(),
        saved=saved or ZERO,
    )


def _by_kind(sql: str, parameters: dict[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for kind, *columns in fetch(sql, parameters):
        found[kind].append(tuple(columns))
    return found


def _counted(rows: Sequence[Sequence[Any]]) -> Counted:
    ((_, _, _, number, amount, _),) = rows
    return Counted(number or ZERO, amount or ZERO)


def _part_cost(columns: Sequence[Any]) -> PartCost:
    _, part, line_item, quantity, amount, unpriced_quantity = columns
    return PartCost(part, LineItem(line_item), quantity, amount, unpriced_quantity)


def _without_nothing(rows: Sequence[PartCost]) -> list[PartCost]:
    """Without the line items of which a part has nothing in all; a part that has nothing of any keeps them, for its bars."""
    with_some = {row.part for row in rows if row.quantity}
    return [row for row in rows if row.quantity or row.part not in with_some]


def _slot_amounts(rows: Iterable[Sequence[Any]]) -> Iterable[Amount]:
    """The bars of the leading parts, and of the rest: the row without a part is the whole bar."""
    wholes: dict[date, Decimal] = {}
    for slot, part, _, _, amount, _ in rows:
        sign = 1 if part is None else -1
        wholes[slot] = wholes.get(slot, ZERO) + sign * amount
        if part is not None:
            yield Amount(slot, part, amount)
    yield from (Amount(slot, None, amount) for slot, amount in wholes.items())


def _rest(wholes: Iterable[PartCost], named: Collection[PartCost]) -> list[PartCost]:
    """What is left of each line item when the named parts are taken from it."""
    rest = []
    for whole in wholes:
        taken = [row for row in named if row.line_item == whole.line_item]
        rest.append(
            PartCost(
                None,
                whole.line_item,
                whole.quantity - sum((row.quantity for row in taken), start=ZERO),
                whole.amount - sum((row.amount for row in taken), start=ZERO),
                whole.unpriced_quantity - sum((row.unpriced_quantity for row in taken), start=ZERO),
            )
        )
    return [row for row in rest if row.quantity or row.amount]


def matters_in(grant: CreditGrant, period: Period) -> bool:
    """Whether a grant's life time meets the period."""
    ends = [end for end in (grant.expires_at, grant.voided_at) if end is not None]
    return grant.effective_at < period.end_at and all(end > period.start_at for end in ends)
