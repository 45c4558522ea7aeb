"""Every organization with this month's spend, for staff: what each row says, read for the rows of one page alone.

The order by spend needs the month's cost of all of them: organization by organization over its own days (OFFSET keeps the
order of the joins), so that the work grows with the month and not with what is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from accounts.models import Membership, Organization
from accounts.periods import month_of
from billing.alerts import Budget, BudgetKind
from billing.budgets.spending import spent_on
from billing.budgets.status import BudgetStatus
from billing.display import dollars
from billing.invoices.balance import balances_of
from metering.display import change

MOST: Final = 100_000
"""Organizations of one list. What is beyond is found by searching."""

FOUND: Final = """
SELECT id FROM accounts_organization
WHERE %(words)s = '' OR name ILIKE %(like)s OR slug ILIKE %(like)s OR public_id = %(words)s
    OR id IN (
        SELECT membership.organization_id FROM accounts_membership AS membership
        JOIN accounts_user AS person ON person.id = membership.user_id
        WHERE membership.left_at IS NULL AND lower(person.email) = lower(%(words)s)
    )
LIMIT %(most)s
"""
BY_SPEND: Final = f"""
SELECT organization.id FROM ({FOUND}) AS organization
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS amount FROM billing_dailycost
    WHERE organization_id = organization.id AND day >= %(start)s AND day < %(end)s OFFSET 0
) AS cost
ORDER BY cost.amount DESC, organization.id
"""
# The last hour is looked for on the last day, which each organization has few rows of; the hours may be on other machines.
FIGURES: Final = """
WITH last_day AS MATERIALIZED (
    SELECT organization.id, day.start_at FROM unnest(%(ids)s::bigint[]) AS organization (id)
    CROSS JOIN LATERAL (
        SELECT day::timestamp AT TIME ZONE 'UTC' AS start_at FROM metering_organizationdailyusage
        WHERE organization_id = organization.id ORDER BY day DESC LIMIT 1
    ) AS day
), used AS MATERIALIZED (
    SELECT usage.organization_id AS id, max(usage.hour) AS hour
    FROM last_day JOIN metering_organizationhourlyusage AS usage
        ON usage.organization_id = last_day.id AND usage.hour >= last_day.start_at
    GROUP BY 1
)
SELECT organization.id, cost.month, cost.whole_days, cost.compared, used.hour, member.number,
    EXISTS (SELECT FROM accounts_organization AS child WHERE child.parent_id = organization.id)
FROM unnest(%(ids)s::bigint[]) AS organization (id)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE day >= %(start)s), 0) AS month,
        coalesce(sum(amount) FILTER (WHERE day >= %(start)s AND day < %(today)s), 0) AS whole_days,
        coalesce(sum(amount) FILTER (WHERE day < %(compared_end)s), 0) AS compared
    FROM billing_dailycost
    WHERE organization_id = organization.id AND day >= %(compared_start)s AND day < %(end)s OFFSET 0
) AS cost
LEFT JOIN used USING (id)
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM accounts_membership
    WHERE organization_id = organization.id AND left_at IS NULL
) AS member
"""


@dataclass(frozen=True)
class Customer:
    """One organization as staff sees it. Empty texts stand for nothing to say; money is its own, without its children's."""

    organization: Organization
    person: str
    """The email of whose personal organization it is; empty for others."""
    spent: str
    growth: str
    """Of this month's whole days against as many of the month before."""
    balance: str
    budget: BudgetStatus | None
    """Of the whole organization; None without one."""
    spent_of_budget: str
    """What counts against the budget of an organization that pays for others, which is theirs, too; else empty."""
    last_used_at: datetime | None
    """The beginning of the last UTC hour with usage."""
    num_members: int


def find_ids(words: str, now: datetime) -> list[int]:
    """Ids of organizations, those that cost most this month first.

    `words` is part of a name or address, an organization's id, or the email of one of its members; empty finds all.
    """
    month = month_of(now.date())
    escaped = words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    values = {"words": words, "like": f"%{escaped}%", "most": MOST, "start": month.start, "end": month.end}
    return [organization_id for (organization_id,) in _rows(BY_SPEND, values)]


def customers(ids: Sequence[int], now: datetime) -> tuple[Customer, ...]:
    """These organizations, in this order; at most six queries, however many there are."""
    figures = {row[0]: row[1:] for row in _rows(FIGURES, {"ids": list(ids), **_days(now.date())})}
    found = Organization.objects.select_related("parent").in_bulk(list(ids))
    balances, budgets, people = balances_of(ids), _budgets(ids, now), _people(ids)
    return tuple(
        _customer(found[each], figures[each], balances.get(each, Decimal(0)), budgets.get(each), people.get(each, ""))
        for each in ids
        if each in found
    )


def _customer(
    organization: Organization, figures: tuple[Any, ...], balance: Decimal, budget: BudgetStatus | None, person: str
) -> Customer:
    spent, whole_days, compared, last_used_at, num_members, pays_for_others = figures
    return Customer(
        organization=organization,
        person=person,
        spent=dollars(spent),
        growth=change(whole_days, compared) if compared else "",
        balance=dollars(balance) if balance else "",
        budget=budget,
        spent_of_budget=dollars(budget.spent) if budget is not None and pays_for_others else "",
        last_used_at=last_used_at,
        num_members=num_members,
    )


def _people(ids: Sequence[int]) -> dict[int, str]:
    """Whose they are, of those that are somebody's personal organization: all of these have the same name."""
    personal = Membership.objects.filter(organization__in=ids, organization__is_personal=True, left_at__isnull=True)
    return dict(personal.values_list("organization_id", "user__email"))


def _budgets(ids: Sequence[int], now: datetime) -> dict[int, BudgetStatus]:
    budgets = list(Budget.objects.filter(organization_id__in=ids, kind=BudgetKind.ORGANIZATION))
    spent = spent_on(budgets, month_of(now.date()))
    return {budget.organization_id: BudgetStatus(spent[budget.pk], budget.amount) for budget in budgets}


def _days(today: date) -> dict[str, date]:
    """The month so far, and as many days of the month before as have ended in this one."""
    month = month_of(today)
    before = month_of(month.start - timedelta(days=1))
    return {
        "start": month.start,
        "today": today,
        "end": month.end,
        "compared_start": before.start,
        "compared_end": min(before.start + (today - month.start), before.end),
    }


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
