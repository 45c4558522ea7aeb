"""The Cost report: spending → figures, tables and sentences, ready to be drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from accounts.access import Access
from accounts.pages.words import counted
from billing.cost.outlook import Outlook, outlook_of
from billing.cost.queries import PartCost, Spending, UnpricedModel, found_parts, spending, spending_of
from billing.display import axis_dollars, dollars, exact_dollars, quantity
from billing.models import LineItem
from metering.display import change, share
from metering.pages import charts
from metering.pages.addresses import Address
from metering.pages.axis import Axis, axis_of
from metering.pages.figures import Unit
from metering.pages.filter_form import Chart as ChartKind
from metering.pages.filter_form import FilterForm
from metering.pages.palette import OTHER_COLOR
from metering.pages.parts import Cell, Choice, ListPage, ListRow, filter_address, list_frame
from metering.usage.breakdown import Breakdown
from metering.usage.groupings import LINE_ITEM, MODEL, Grouping
from metering.usage.names import Named, Names, names_of
from metering.usage.queries import Step
from metering.usage.rankings import PAGE_ROWS
from metering.usage.sums import has_any_usage

NUM_QUANTITIES: Final = 2
NUM_UNPRICED: Final = 20
UNIT: Final = Unit(exact_dollars, axis_dollars, hover=dollars)
TITLES: Final = {Step.DAY: "Daily cost", Step.HOUR: "Cost by hour", Step.MINUTE: "Cost by minute"}
LIST_COLUMNS: Final = (Cell("Quantity", is_wide_only=True), Cell("Amount"), Cell("Share", is_wide_only=True))
AVERAGES: Final = {Step.DAY: "a day", Step.HOUR: "an hour", Step.MINUTE: "a minute"}


@dataclass(frozen=True)
class PartRow:
    """A row of the table of parts; `is_unpriced`: nothing of it has a price."""

    name: str
    detail: str
    color: str
    quantity: str
    amount: str
    exact_amount: str
    share: str
    address: str
    is_unpriced: bool


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
    unpriced: tuple[UnpricedRow, ...] = ()
    chart: charts.Chart | None = None
    part_kind: str = ""
    parts: tuple[PartRow, ...] = ()
    outlook: Outlook = field(default_factory=Outlook)
    list_page: ListPage | None = None
    is_new: bool = False


def cost_report(access: Access, form: FilterForm, address: Address, now: datetime) -> CostReport:
    """The report of the form's month, day or hour. What concerns the organization as a whole is told of its month alone."""
    if form.listed is not None:
        return CostReport(list_page=_list_page(access, form, address, form.listed))
    spent = spending(form.query)
    is_new = not spent.parts and not has_any_usage(access)
    names = _names(access, form.query.group, spent)
    axis = axis_of(form.query, now, (row.slot for row in spent.slots))
    breakdown = spent.breakdown(form.query.group, axis.begun)
    looks = charts.looks_of(breakdown, names, address)
    is_whole = not form.filters and form.query.step == Step.DAY and not form.own_usage_only
    return CostReport(
        period=f"{form.month.start:%B}" if form.day is None else form.period_name,
        amount=dollars(spent.amount),
        exact_amount=exact_dollars(spent.amount),
        comparison=_comparison(spent, charts.compared_days(form.month, now.date()))
        if form.query.step == Step.DAY
        else None,
        unpriced=_unpriced_rows(address, spent, names),
        chart=_chart(form, address, axis, breakdown, looks, average=_average(spent, axis)) if spent.parts else None,
        part_kind=form.query.group.label,
        parts=_part_rows(form.query.group, spent, looks, names, address),
        outlook=outlook_of(access, form.month, spent, now) if is_whole else Outlook(),
        is_new=is_new,
    )


def _comparison(spent: Spending, compared: charts.ComparedDays | None) -> charts.Comparison | None:
    """None where there is no whole day, or the month before has nothing to compare with."""
    percent = compared and change(spent.amount_of(compared.days), spent.amount_of(compared.before))
    return charts.Comparison(percent, compared.label) if compared and percent else None


def _named_unpriced(spent: Spending) -> tuple[UnpricedModel, ...]:
    """The models without a price that the notice names: those with the most requests."""
    return tuple(sorted(spent.unpriced, key=lambda row: (-row.num_requests, row.model_id))[:NUM_UNPRICED])


def _unpriced_rows(address: Address, spent: Spending, names: Names) -> tuple[UnpricedRow, ...]:
    named = tuple(
        UnpricedRow(
            names.of(MODEL, row.model_id).name,
            counted(row.num_requests, "request"),
            filter_address(address, MODEL, row.model_id, names),
        )
        for row in _named_unpriced(spent)
    )
    others = sum(row.num_requests for row in spent.unpriced) - sum(row.num_requests for row in _named_unpriced(spent))
    num_others = len(spent.unpriced) - len(named)
    rest = UnpricedRow(counted(num_others, "other model"), counted(others, "request"), "")
    return (*named, rest) if num_others else named


def _names(access: Access, group: Grouping, spent: Spending) -> Names:
    wanted = {MODEL: {row.model_id for row in _named_unpriced(spent)}}
    wanted[group] = wanted.get(group, set()) | {row.part for row in spent.parts if row.part is not None}
    line_items = {(LINE_ITEM, item.value): Named(item.value, item.label, "", place=item.value - 1) for item in LineItem}
    return Names({**names_of(wanted, access.organizations).known, **line_items})


def _list_page(access: Access, form: FilterForm, address: Address, group: Grouping) -> ListPage:
    """All parts of a group by what they cost, page by page."""
    query = replace(form.query, group=group)
    found = found_parts(query, form.search)
    page = found[(form.page - 1) * PAGE_ROWS : form.page * PAGE_ROWS]
    spent = spending_of(query, page, num_parts=len(page))
    rows = (
        ListRow(
            name=row.name,
            detail=row.detail,
            address=row.address,
            cells=(Cell(row.quantity, is_wide_only=True), Cell(row.amount), Cell(row.share, is_wide_only=True)),
        )
        for row in _part_rows(group, spent, {}, _names(access, group, spent), address)
    )
    return ListPage(**list_frame(form, address, group, len(found)), columns=LIST_COLUMNS, rows=tuple(rows))


def _chart(  # noqa: PLR0913 - what the page knows
    form: FilterForm,
    address: Address,
    axis: Axis,
    breakdown: Breakdown,
    looks: Mapping[int | None, charts.Look],
    *,
    average: str,
) -> charts.Chart:
    step, is_cumulative = form.query.step, form.chart == ChartKind.CUMULATIVE
    return charts.chart_of(
        axis,
        charts.series_of(breakdown.cumulative() if is_cumulative else breakdown, looks),
        UNIT,
        address,
        id="cost",
        title="Cumulative cost" if is_cumulative else TITLES[step],
        total=average,
        exact_total=exact_dollars(Decimal(breakdown.total)),
        choices=(
            Choice(step.value.title(), str(address.setting("chart", "")), not is_cumulative),
            Choice("Cumulative", str(address.setting("chart", "cumulative")), is_cumulative),
        ),
    )


def _average(spent: Spending, axis: Axis) -> str:
    """Of the bars that are over: one that goes on would pull it down."""
    if not axis.ended:
        return ""
    ended = set(axis.ended)
    amount = sum((row.amount for row in spent.slots if row.slot in ended), start=Decimal(0))
    return f"{dollars(amount / len(ended))} {AVERAGES[axis.step]}"


def _part_rows(
    group: Grouping, spent: Spending, looks: Mapping[int | None, charts.Look], names: Names, address: Address
) -> tuple[PartRow, ...]:
    """The parts by amount, in the colours of their bars, and the rest of them."""
    costs: dict[int, list[PartCost]] = {}
    for row in spent.parts:
        if row.part is not None:
            costs.setdefault(row.part, []).append(row)
    by_amount = sorted(costs.items(), key=lambda item: (-_amount(item[1]), item[0]))
    others = [row for row in spent.parts if row.part is None]
    rows = [
        _part_row(
            names.of(group, part),
            looks[part].color if part in looks else OTHER_COLOR,
            items,
            spent.amount,
            filter_address(address, group, part, names),
        )
        for part, items in by_amount
    ]
    if others:
        rest = charts.look_of_rest(group, spent.num_parts - len(rows), address)
        rows.append(_part_row(Named(0, rest.legend, ""), rest.color, others, spent.amount, rest.address))
    return tuple(rows)


def _amount(costs: Iterable[PartCost]) -> Decimal:
    return sum((row.amount for row in costs), start=Decimal(0))


def _part_row(name: Named, color: str, costs: Sequence[PartCost], whole: Decimal, address: str) -> PartRow:
    amount = _amount(costs)
    is_unpriced = any(row.is_unpriced for row in costs) and not any(row.amount for row in costs)
    return PartRow(
        name=name.name,
        detail=name.detail,
        color=color,
        quantity=_quantities(costs),
        amount="Unpriced" if is_unpriced else dollars(amount),
        exact_amount=exact_dollars(amount),
        share="–" if is_unpriced else share(amount, whole),
        address=address,
        is_unpriced=is_unpriced,
    )


def _quantities(costs: Sequence[PartCost]) -> str:
    """What was used, in its units: tokens of all kinds together, then the dearest other units."""
    by_unit: dict[LineItem, tuple[Decimal, Decimal]] = {}
    for row in costs:
        unit = LineItem.INPUT if row.line_item <= LineItem.AUDIO_OUTPUT else row.line_item
        number, amount = by_unit.get(unit, (Decimal(0), Decimal(0)))
        by_unit[unit] = (number + row.quantity, amount + row.amount)
    dearest = sorted(by_unit.items(), key=lambda item: (-item[1][1], item[0]))[:NUM_QUANTITIES]
    return ", ".join(quantity(number, unit) for unit, (number, _) in dearest)
