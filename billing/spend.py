"""The Cost report: spending and credit grants → figures, tables and sentences, ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from accounts.access import Access
from billing.credits import Grant, GrantState, pay, state_of, used_by
from billing.display import axis_dollars, dollars, exact_dollars, quantity
from billing.figures import cost_series
from billing.models import CreditGrant, LineItem
from billing.queries import PartCost, Spending, credit_grants, daily_totals, matters_in, spending
from metering.activity import plural
from metering.display import exact, long_day, share, short_day
from metering.figures import Unit, figure_script
from metering.forms import Chart as ChartKind
from metering.forms import FilterForm
from metering.links import Address
from metering.names import Named, Names, names_of
from metering.palette import OTHER_COLOR, colors_of
from metering.periods import Period, previous_month
from metering.queries import Group, has_any_usage
from metering.report import GROUP_LABELS, Chart, Choice, filter_address, numbers_of

NUM_QUANTITIES: Final = 2
UNIT: Final = Unit(exact_dollars, axis_dollars)


@dataclass(frozen=True)
class Change:
    """How the spend compares with the same days of the month before."""

    percent: str
    days: str


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
    model: str
    num_requests: str
    address: str


@dataclass(frozen=True)
class GrantRow:
    """A credit grant as of now."""

    name: str
    granted: str
    used: str
    remaining: str
    effective: str
    expires: str
    state: GrantState


@dataclass(frozen=True)
class CostReport:
    """Everything under the bar. `is_new` is true for organizations that never used anything."""

    month: str
    amount: str
    exact_amount: str
    change: Change | None
    unpriced: tuple[UnpricedRow, ...]
    chart: Chart | None
    part_kind: str
    parts: tuple[PartRow, ...]
    grants: tuple[GrantRow, ...]
    is_new: bool


def cost_report(access: Access, form: FilterForm, address: Address, *, now: datetime) -> CostReport:
    """The report of the form's month. Credit grants are told to owners and admins only."""
    compared = same_days_of_previous_month(form.month, now.date())
    spent = spending(form.query, compared)
    is_new = not spent.parts and not has_any_usage([organization.id for organization in access.organizations])
    names = _names(access, form.query.group, spent)
    return CostReport(
        month=f"{form.month.start:%B}",
        amount=dollars(spent.amount),
        exact_amount=exact_dollars(spent.amount),
        change=_change(spent.amount, spent.compared_amount, compared),
        unpriced=tuple(
            UnpricedRow(
                names.of(Group.MODEL, row.model_id).name,
                exact(row.num_requests),
                filter_address(address, Group.MODEL, row.model_id, names),
            )
            for row in spent.unpriced
        ),
        chart=_chart(form, address, spent, names, now.date()) if spent.parts else None,
        part_kind=GROUP_LABELS[form.query.group],
        parts=_part_rows(form.query.group, address, spent, names),
        grants=_grant_rows(access, form.month, now) if access.is_admin else (),
        is_new=is_new,
    )


def same_days_of_previous_month(month: Period, today: date) -> Period:
    """Of the month before, as many days as this month has had by today, today included; at most all of them."""
    previous = previous_month(month)
    if today not in month:
        return previous
    return Period(previous.start, min(previous.start + timedelta(days=today.day), previous.end))


def _change(amount: Decimal, compared_amount: Decimal, compared: Period) -> Change | None:
    """None where there is nothing to compare with."""
    if compared_amount <= 0:
        return None
    percent = (amount - compared_amount) * 100 / compared_amount
    last = compared.end - timedelta(days=1)
    days = short_day(compared.start) if compared.num_days == 1 else f"{short_day(compared.start)}–{last.day}"
    return Change(f"{percent:+,.1f} %".replace("-", "−"), days)


def _names(access: Access, group: Group, spent: Spending) -> Names:
    parts = {row.part for row in spent.parts if row.part is not None}
    names = names_of(
        models=(parts if group == Group.MODEL else set()) | {row.model_id for row in spent.unpriced},
        users=parts if group == Group.USER else (),
        api_keys=parts if group == Group.API_KEY else (),
        organizations=access.organizations,
    )
    line_items = {
        (Group.LINE_ITEM, item.value): Named(item.value, item.label, "", place=item.value - 1) for item in LineItem
    }
    return Names({**names.known, **line_items})


def _amounts(spent: Spending) -> list[tuple[int, Decimal]]:
    """The parts that the table names, by amount."""
    sums: dict[int, Decimal] = {}
    for row in spent.parts:
        if row.part is not None:
            sums[row.part] = sums.get(row.part, Decimal(0)) + row.amount
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def _colors(group: Group, spent: Spending, names: Names) -> dict[int | None, str]:
    """A colour for each part that has bars of its own."""
    return colors_of(group, (row.part for row in spent.days if row.part is not None), names)


def _chart(form: FilterForm, address: Address, spent: Spending, names: Names, today: date) -> Chart:
    group = form.query.group
    is_cumulative = form.chart == ChartKind.CUMULATIVE
    days = list(form.month.days())
    past_days = [day for day in days if day <= today]
    series = cost_series(spent.days, past_days, _looks(group, spent, names), is_cumulative=is_cumulative)
    return Chart(
        id="cost",
        title="Cumulative cost" if is_cumulative else "Daily cost",
        total=f"{dollars(spent.amount / len(past_days))} a day",
        figure=figure_script(days, series, UNIT),
        numbers=numbers_of(days, series, UNIT),
        choices=(
            Choice("Day", str(address.setting("chart", "")), not is_cumulative),
            Choice("Cumulative", str(address.setting("chart", "cumulative")), is_cumulative),
        ),
    )


def _looks(group: Group, spent: Spending, names: Names) -> dict[int | None, tuple[str, str]]:
    """Name and colour of each part that has bars of its own, the dearest first, and of the rest."""
    colors = _colors(group, spent, names)
    looks: dict[int | None, tuple[str, str]] = {
        part: (names.of(group, part).name, colors[part]) for part, _ in _amounts(spent) if part in colors
    }
    return looks | ({None: ("Other", OTHER_COLOR)} if any(row.part is None for row in spent.days) else {})


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
        label = f"Other, {num_others} {plural(GROUP_LABELS[group], num_others)}"
        rows.append(_part_row(Named(0, label, ""), OTHER_COLOR, others, whole, ""))
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
        share=share(amount, whole),
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


def _grant_rows(access: Access, month: Period, now: datetime) -> tuple[GrantRow, ...]:
    """The organization's grants that matter in the month, with what they have paid up to its end."""
    grants = credit_grants(access.organization.id, month)
    if not any(matters_in(grant, month) for grant in grants):
        return ()
    lifetime = Period(min(grant.effective_at for grant in grants).date(), month.end)
    costs = daily_totals([organization.id for organization in access.organizations], lifetime)
    used = used_by(pay(costs, [_pure(grant) for grant in grants]))
    return tuple(_grant_row(grant, used.get(grant.id, Decimal(0)), now) for grant in grants if matters_in(grant, month))


def _pure(grant: CreditGrant) -> Grant:
    return Grant(
        id=grant.id,
        amount=grant.amount,
        effective_at=grant.effective_at,
        expires_at=grant.expires_at,
        voided_at=grant.voided_at,
        priority=grant.priority,
    )


def _grant_row(grant: CreditGrant, used: Decimal, now: datetime) -> GrantRow:
    state = state_of(_pure(grant), used, now)
    is_usable = state in (GrantState.AVAILABLE, GrantState.UPCOMING, GrantState.USED_UP)
    return GrantRow(
        name=grant.name,
        granted=dollars(grant.amount),
        used=dollars(used),
        remaining=dollars(grant.amount - used if is_usable else 0),
        effective=long_day(grant.effective_at.date()),
        expires=long_day(grant.expires_at.date()) if grant.expires_at else "Never",
        state=state,
    )
