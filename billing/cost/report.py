"""The Cost report: spending → figures, tables and sentences, ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from accounts.access import Access
from billing.cost.outlook import Outlook, outlook_of
from billing.cost.queries import PartCost, Spending, UnpricedModel, found_parts, spending, spending_of
from billing.cost.series import cost_series
from billing.display import axis_dollars, dollars, exact_dollars, quantity
from billing.models import LineItem
from metering.display import change, exact, plural, share
from metering.pages.addresses import Address
from metering.pages.axis import Axis, axis_of
from metering.pages.figures import Unit, figure_script
from metering.pages.filter_form import Chart as ChartKind
from metering.pages.filter_form import FilterForm
from metering.pages.palette import OTHER_COLOR, colors_of
from metering.pages.parts import (
    GROUP_LABELS,
    Cell,
    Chart,
    Choice,
    ComparedDays,
    Comparison,
    ListPage,
    ListRow,
    compared_days,
    filter_address,
    list_address,
    list_frame,
    numbers_of,
)
from metering.usage.names import Named, Names, names_of
from metering.usage.queries import Group, Step
from metering.usage.rankings import PAGE_ROWS, WORDS
from metering.usage.sums import has_any_usage

NUM_QUANTITIES: Final = 2
NUM_UNPRICED: Final = 20
UNIT: Final = Unit(exact_dollars, axis_dollars)
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
    num_requests: str
    address: str


@dataclass(frozen=True)
class CostReport:
    """Everything under the bar: figures, chart and tables, or one page of a whole list.

    `is_new` is true for organizations that never used anything.
    """

    period: str = ""
    amount: str = ""
    exact_amount: str = ""
    comparison: Comparison | None = None
    unpriced: tuple[UnpricedRow, ...] = ()
    chart: Chart | None = None
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
    is_whole = not form.filters and form.query.step == Step.DAY and not form.own_usage_only
    return CostReport(
        period=f"{form.month.start:%B}" if form.day is None else form.period_name,
        amount=dollars(spent.amount),
        exact_amount=exact_dollars(spent.amount),
        comparison=_comparison(spent, compared_days(form.month, now.date())) if form.query.step == Step.DAY else None,
        unpriced=_unpriced_rows(address, spent, names),
        chart=_chart(form, address, spent, names, now) if spent.parts else None,
        part_kind=GROUP_LABELS[form.query.group],
        parts=_part_rows(form.query.group, address, spent, names),
        outlook=outlook_of(access, form.month, spent, now) if is_whole else Outlook(),
        is_new=is_new,
    )


def _comparison(spent: Spending, compared: ComparedDays | None) -> Comparison | None:
    """None where there is no whole day, or the month before has nothing to compare with."""
    percent = compared and change(spent.amount_of(compared.days), spent.amount_of(compared.before))
    return Comparison(percent, compared.label) if compared and percent else None


def _named_unpriced(spent: Spending) -> tuple[UnpricedModel, ...]:
    """The models without a price that the notice names: those with the most requests."""
    return tuple(sorted(spent.unpriced, key=lambda row: (-row.num_requests, row.model_id))[:NUM_UNPRICED])


def _unpriced_rows(address: Address, spent: Spending, names: Names) -> tuple[UnpricedRow, ...]:
    named = tuple(
        UnpricedRow(
            names.of(Group.MODEL, row.model_id).name,
            exact(row.num_requests),
            filter_address(address, Group.MODEL, row.model_id, names),
        )
        for row in _named_unpriced(spent)
    )
    others = sum(row.num_requests for row in spent.unpriced) - sum(row.num_requests for row in _named_unpriced(spent))
    num_others = len(spent.unpriced) - len(named)
    rest = UnpricedRow(f"{exact(num_others)} other {plural('model', num_others)}", exact(others), "")
    return (*named, rest) if num_others else named


def _names(access: Access, group: Group, spent: Spending) -> Names:
    parts = {row.part for row in spent.parts if row.part is not None}
    names = names_of(
        models=(parts if group == Group.MODEL else set()) | {row.model_id for row in _named_unpriced(spent)},
        users=parts if group == Group.USER else (),
        api_keys=parts if group == Group.API_KEY else (),
        organizations=access.organizations,
    )
    line_items = {
        (Group.LINE_ITEM, item.value): Named(item.value, item.label, "", place=item.value - 1) for item in LineItem
    }
    return Names({**names.known, **line_items})


def _list_page(access: Access, form: FilterForm, address: Address, group: Group) -> ListPage:
    """All parts of a group by what they cost, page by page."""
    query = replace(form.query, group=group)
    found = found_parts(query, form.search)
    page = found[(form.page - 1) * PAGE_ROWS : form.page * PAGE_ROWS]
    spent = spending_of(query, page, num_parts=len(page))
    names = _names(access, group, spent)
    rows = (
        ListRow(
            name=row.name,
            detail=row.detail,
            address=row.address,
            cells=(Cell(row.quantity, is_wide_only=True), Cell(row.amount), Cell(row.share, is_wide_only=True)),
        )
        for row in _part_rows(group, address, spent, names)
    )
    return ListPage(**list_frame(form, address, group, len(found)), columns=LIST_COLUMNS, rows=tuple(rows))


def _amounts(spent: Spending) -> list[tuple[int, Decimal]]:
    """The parts that the table names, by amount."""
    sums: dict[int, Decimal] = {}
    for row in spent.parts:
        if row.part is not None:
            sums[row.part] = sums.get(row.part, Decimal(0)) + row.amount
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def _colors(group: Group, spent: Spending, names: Names) -> dict[int | None, str]:
    """A colour for each part that has bars of its own."""
    return colors_of(group, (row.part for row in spent.slots if row.part is not None), names)


def _chart(form: FilterForm, address: Address, spent: Spending, names: Names, now: datetime) -> Chart:
    step = form.query.step
    is_cumulative = form.chart == ChartKind.CUMULATIVE
    axis = axis_of(form.query, now, (row.slot for row in spent.slots))
    looks = _looks(form.query.group, address, spent, names)
    series = cost_series(spent.slots, axis.begun, looks, is_cumulative=is_cumulative)
    return Chart(
        id="cost",
        title="Cumulative cost" if is_cumulative else TITLES[step],
        total=_average(spent, axis),
        exact_total=exact_dollars(spent.amount),
        figure=figure_script(axis, series, UNIT),
        numbers=numbers_of(axis, series, UNIT, address),
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


def _looks(group: Group, address: Address, spent: Spending, names: Names) -> dict[int | None, tuple[str, str, str]]:
    """Name, colour and address of each part that has bars of its own, the dearest first, and of the rest."""
    colors = _colors(group, spent, names)
    looks: dict[int | None, tuple[str, str, str]] = {
        part: (names.of(group, part).name, colors[part], filter_address(address, group, part, names))
        for part, _ in _amounts(spent)
        if part in colors
    }
    has_rest = any(row.part is None for row in spent.slots)
    return looks | ({None: ("Other", OTHER_COLOR, _all_address(group, address))} if has_rest else {})


def _all_address(group: Group, address: Address) -> str:
    """The list of all parts, where the group has one."""
    return list_address(address, group) if group in WORDS else ""


def _part_rows(group: Group, address: Address, spent: Spending, names: Names) -> tuple[PartRow, ...]:
    colors = _colors(group, spent, names)
    whole = spent.amount
    rows = [
        _part_row(
            names.of(group, part),
            colors.get(part, OTHER_COLOR),
            [row for row in spent.parts if row.part == part],
            whole,
            filter_address(address, group, part, names),
        )
        for part, _ in _amounts(spent)
    ]
    others = [row for row in spent.parts if row.part is None]
    if others:
        num_others = spent.num_parts - len(rows)
        label = f"Other, {exact(num_others)} {plural(GROUP_LABELS[group], num_others)}"
        rows.append(_part_row(Named(0, label, ""), OTHER_COLOR, others, whole, _all_address(group, address)))
    return tuple(rows)


def _part_row(name: Named, color: str, costs: Sequence[PartCost], whole: Decimal, address: str) -> PartRow:
    amount = sum((row.amount for row in costs), start=Decimal(0))
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
