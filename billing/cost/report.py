"""The Cost report: spending → figures, tables and sentences, ready to be drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Final

from accounts.pages.words import counted
from billing.cost.economics import UnitCost, unit_costs
from billing.cost.leaders import all_parts
from billing.cost.outlook import Outlook, outlook_of
from billing.cost.queries import PartCost, Spending, UnpricedModel, spending, spending_of
from billing.display import axis_dollars, dollars, exact_dollars, quantity
from billing.line_items import UNITS
from billing.models import LineItem
from metering.display import share
from metering.pages import charts
from metering.pages.axis import Axis
from metering.pages.figures import Unit
from metering.pages.lists import Cell, ListPage, list_page
from metering.pages.parts import Asked
from metering.usage.breakdown import Breakdown, break_down
from metering.usage.groupings import LINE_ITEM, MODEL
from metering.usage.names import Names
from metering.usage.queries import Step

NUM_QUANTITIES: Final = 2
NUM_UNPRICED: Final = 20
UNIT: Final = Unit(exact_dollars, axis_dollars, hover=dollars)
TITLES: Final = {Step.DAY: "Daily cost", Step.HOUR: "Cost by hour", Step.MINUTE: "Cost by minute"}
LIST_COLUMNS: Final = (Cell("Quantity", is_wide_only=True), Cell("Amount"), Cell("Share", is_wide_only=True))
AVERAGES: Final = {Step.DAY: "a day", Step.HOUR: "an hour", Step.MINUTE: "a minute"}


@dataclass(frozen=True)
class PartSpend:
    """What a part used and cost, as it is written; `is_unpriced`: nothing of it has a price."""

    quantity: str
    amount: str
    exact_amount: str
    share: str
    is_unpriced: bool


@dataclass(frozen=True)
class PartRow(PartSpend):
    """A row of the table of parts."""

    name: str
    detail: str
    color: str
    address: str


@dataclass(frozen=True)
class UnpricedRow:
    """A model in the notice of usage without a price; without an address, all that it does not name."""

    model: str
    requests: str
    address: str


@dataclass(frozen=True)
class CostReport:
    """Everything under the bar: figures, chart and tables, or one page of a whole list.

    `is_new` is true for organizations that never used anything.
    """

    period: str = ""
    amount: str = ""
    exact_amount: str = ""
    comparison: charts.Comparison | None = None
    unit_costs: tuple[UnitCost, ...] = ()
    unpriced: tuple[UnpricedRow, ...] = ()
    chart: charts.Chart | None = None
    part_kind: str = ""
    parts: tuple[PartRow, ...] = ()
    outlook: Outlook = field(default_factory=Outlook)
    list_page: ListPage | None = None
    is_new: bool = False


def cost_report(asked: Asked) -> CostReport:
    """The report of the form's month, day or hour. What concerns the organization as a whole is told of its month alone."""
    form, address = asked.form, asked.address
    if form.listed is not None:
        return CostReport(list_page=_list_page(asked))
    spent = spending(asked.query)
    costs = _costs_by_part(spent)
    names = _names(asked, spent, costs)
    axis = asked.axis(row.slot for row in spent.slots)
    breakdown = break_down(asked.group, axis.begun, spent.slots, num_parts=spent.num_parts)
    looks = charts.looks_of(breakdown, names, address, others=costs)
    is_whole = not form.filters and asked.query.step == Step.DAY and not form.own_usage_only
    return CostReport(
        period=f"{form.month.start:%B}" if form.day is None else form.period_name,
        amount=dollars(spent.amount),
        exact_amount=exact_dollars(spent.amount),
        comparison=_comparison(spent, charts.days_to_compare(asked)),
        unit_costs=unit_costs(asked, spent),
        unpriced=_unpriced_rows(asked, spent, names),
        chart=_chart(asked, axis, breakdown, looks, average=_average(spent, axis)) if spent.parts else None,
        part_kind=asked.group.label,
        parts=_part_rows(asked, spent, costs, looks),
        outlook=outlook_of(asked, spent) if is_whole else Outlook(),
        is_new=not spent.parts and asked.is_new(),
    )


def _comparison(spent: Spending, compared: charts.ComparedDays | None) -> charts.Comparison | None:
    if compared is None:
        return None
    return compared.comparison(spent.amount_of(compared.days), spent.amount_of(compared.before))


def _named_unpriced(spent: Spending) -> tuple[UnpricedModel, ...]:
    """The models without a price that the notice names: those with the most requests."""
    return tuple(sorted(spent.unpriced, key=lambda row: (-row.num_requests, row.model_id))[:NUM_UNPRICED])


def _unpriced_rows(asked: Asked, spent: Spending, names: Names) -> tuple[UnpricedRow, ...]:
    looks = [(row, charts.look_of(MODEL, row.model_id, names, asked.address)) for row in _named_unpriced(spent)]
    named = tuple(UnpricedRow(look.name, counted(row.num_requests, "request"), look.address) for row, look in looks)
    others = sum(row.num_requests for row in spent.unpriced) - sum(row.num_requests for row, _ in looks)
    num_others = len(spent.unpriced) - len(named)
    rest = UnpricedRow(counted(num_others, "other model"), counted(others, "request"), "")
    return (*named, rest) if num_others else named


def _names(asked: Asked, spent: Spending, parts: Iterable[int]) -> Names:
    wanted = {MODEL: {row.model_id for row in _named_unpriced(spent)}}
    wanted[asked.group] = wanted.get(asked.group, set()) | set(parts)
    return asked.names(wanted, choices={LINE_ITEM: LineItem.choices})


def _list_page(asked: Asked) -> ListPage:
    """All parts of a group by what they cost, page by page."""
    group = asked.form.listed or asked.group
    query = replace(asked.query, group=group)
    page, num_rows = asked.page_of(group, all_parts(query))
    spent = spending_of(query, page, num_parts=len(page))
    rows = {part: _spend(costs, spent.amount) for part, costs in _costs_by_part(spent).items()}
    texts = {part: (row.quantity, row.amount, row.share) for part, row in rows.items()}
    return list_page(asked, group, LIST_COLUMNS, texts, num_rows=num_rows)


def _chart(
    asked: Asked, axis: Axis, breakdown: Breakdown, looks: Mapping[int | None, charts.Look], *, average: str
) -> charts.Chart:
    is_cumulative = asked.form.is_cumulative
    return charts.chart_of(
        axis,
        charts.series_of(breakdown.cumulative() if is_cumulative else breakdown, looks),
        UNIT,
        asked.address,
        id="cost",
        title="Cumulative cost" if is_cumulative else TITLES[axis.step],
        total=average,
        exact_total=exact_dollars(Decimal(breakdown.total)),
        choices=charts.adding_up(asked),
    )


def _average(spent: Spending, axis: Axis) -> str:
    """Of the bars that are over: one that goes on would pull it down."""
    if not axis.ended:
        return ""
    ended = set(axis.ended)
    amount = Decimal(sum(row.amount for row in spent.slots if row.slot in ended))
    return f"{dollars(amount / len(ended))} {AVERAGES[axis.step]}"


def _costs_by_part(spent: Spending) -> dict[int, list[PartCost]]:
    """The costs of each part that has a name, the dearest first."""
    costs: dict[int, list[PartCost]] = {}
    for row in spent.parts:
        if row.part is not None:
            costs.setdefault(row.part, []).append(row)
    return dict(sorted(costs.items(), key=lambda item: (-_amount(item[1]), item[0])))


def _part_rows(
    asked: Asked, spent: Spending, costs: Mapping[int, Sequence[PartCost]], looks: Mapping[int | None, charts.Look]
) -> tuple[PartRow, ...]:
    """The parts by amount, in the colours of their bars, and the rest of them."""
    rows = [_part_row(looks[part], items, spent.amount) for part, items in costs.items()]
    if others := [row for row in spent.parts if row.part is None]:
        rest = charts.look_of_rest(asked.group, spent.num_parts - len(rows), asked.address)
        rows.append(_part_row(replace(rest, name=rest.legend), others, spent.amount))
    return tuple(rows)


def _amount(costs: Iterable[PartCost]) -> Decimal:
    return sum((row.amount for row in costs), start=Decimal(0))


def _part_row(look: charts.Look, costs: Sequence[PartCost], whole: Decimal) -> PartRow:
    spend = asdict(_spend(costs, whole))
    return PartRow(**spend, name=look.name, detail=look.detail, color=look.color, address=look.address)


def _spend(costs: Sequence[PartCost], whole: Decimal) -> PartSpend:
    amount = _amount(costs)
    is_unpriced = any(row.is_unpriced for row in costs) and not any(row.amount for row in costs)
    return PartSpend(
        quantity=_quantities(costs),
        amount="Unpriced" if is_unpriced else dollars(amount),
        exact_amount=exact_dollars(amount),
        share="–" if is_unpriced else share(amount, whole),
        is_unpriced=is_unpriced,
    )


def _quantities(costs: Sequence[PartCost]) -> str:
    """What was used, in its units: tokens of all kinds together, then the dearest other units."""
    by_unit: dict[LineItem, tuple[Decimal, Decimal]] = {}
    for row in costs:
        unit = LineItem.INPUT if UNITS[row.line_item] == "tokens" else row.line_item
        number, amount = by_unit.get(unit, (Decimal(0), Decimal(0)))
        by_unit[unit] = (number + row.quantity, amount + row.amount)
    dearest = sorted(by_unit.items(), key=lambda item: (-item[1][1], item[0]))[:NUM_QUANTITIES]
    return ", ".join(quantity(number, unit) for unit, (number, _) in dearest)
