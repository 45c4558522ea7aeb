"""What counts against budgets: usage × the unit prices of its organization's daily cost, as the Cost page with the same filter.

One statement answers for any number of budgets. What each is about is looked up row by row, whatever the statistics say
(OFFSET keeps the order of the joins): the work grows with what the budgets are about, not with what is stored.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from accounts.periods import Period
from billing.alerts import Budget, BudgetKind
from billing.priced_usage import quantity_of
from metering.attribution_models import ALL, PROJECT
from metering.cluster.state import is_distributed

OWN_QUANTITY: Final = quantity_of("price")
VALUES: Final = "metering_valuedailyusage"

IN_PERIOD: Final = "organization_id = member.id AND day >= %(start)s AND day < %(end)s"
# A budget's organization and its children.
MEMBERS: Final = """
asked AS budget
CROSS JOIN LATERAL (
    SELECT id FROM accounts_organization WHERE id = budget.organization_id OR parent_id = budget.organization_id OFFSET 0
) AS member
"""
COSTS: Final = (
    f"CROSS JOIN LATERAL (SELECT day, amount, sku_id FROM billing_dailycost WHERE {IN_PERIOD} OFFSET 0) AS cost"
)
PRICES: Final = """
CROSS JOIN LATERAL (
    SELECT line_item, unit_price FROM billing_dailycost
    WHERE organization_id = usage.organization_id AND day = usage.day AND sku_id = usage.sku_id OFFSET 0
) AS price
"""
# Projects are of one organization, whose usage alone they have.
OWN_PROJECT: Final = f"{MEMBERS} JOIN accounts_project AS project ON project.id = budget.target_id"
IS_OWN: Final = "member.id = budget.organization_id"
# Each organization has a row of its own for an attribute's name; values are the same number everywhere.
VALUE: Final = f"""
{MEMBERS}
CROSS JOIN LATERAL (
    SELECT id FROM accounts_attribute
    WHERE organization_id = member.id AND name = split_part(budget.value, ':', 1) OFFSET 0
) AS attribute
CROSS JOIN LATERAL (
    SELECT id FROM metering_attributevalue WHERE value = substr(budget.value, strpos(budget.value, ':') + 1) OFFSET 0
) AS found
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows of usage by day that something is about: `key` are their columns and what these are equal to."""

    table: str
    key: Mapping[str, str]

    def priced(self, kind: BudgetKind, source: str, *, sign: str = "", where: str = "true") -> str:
        """What they cost, of the budgets of a kind. `source` finds what those are about."""
        is_it = " AND ".join(f"{column} = {value}" for column, value in self.key.items())
        usage = f"CROSS JOIN LATERAL (SELECT * FROM {self.table} WHERE {IN_PERIOD} AND {is_it} OFFSET 0) AS usage"
        amount = f"{sign}({OWN_QUANTITY}) * price.unit_price"
        return _amounts(kind, f"{source} {usage} {PRICES}", amount, "usage.day", where)

    def priced_on_cluster(self, kind: BudgetKind, source: str, *, sign: str = "", where: str = "true") -> str:
        """The same where the rows are on other machines: what is asked for is sent there, and the prices wait here."""
        keys = "".join(f", {value} AS {column}" for column, value in self.key.items())
        is_it = " AND ".join(f"usage.{column} = wanted.{column}" for column in ("organization_id", *self.key))
        return f"""(
            WITH wanted AS MATERIALIZED (
                SELECT budget.id AS budget_id, member.id AS organization_id{keys} FROM {source}
                WHERE budget.kind = {kind.value} AND {where}
            ),
            found AS MATERIALIZED (
                SELECT wanted.budget_id, usage.* FROM wanted JOIN {self.table} AS usage ON {is_it}
                WHERE usage.day >= %(start)s AND usage.day < %(end)s
            )
            SELECT budget_id, usage.day, {sign}({OWN_QUANTITY}) * price.unit_price AS amount FROM found AS usage {PRICES}
        )"""


def _amounts(kind: BudgetKind, source: str, amount: str, day: str, where: str = "true") -> str:
    return (
        f"SELECT budget.id AS budget_id, {day} AS day, {amount} AS amount FROM {source}"
        f" WHERE budget.kind = {kind.value} AND {where}"
    )


def _costs(kind: BudgetKind, source: str = MEMBERS, more: str = "", where: str = "true") -> str:
    return _amounts(kind, f"{source} {COSTS} {more}", "cost.amount", "cost.day", where)


OF_PROJECT: Final = Usage(VALUES, {"attribute_id": f"{PROJECT}", "value_id": "project.id"})
OF_ANY_PROJECT: Final = Usage(VALUES, {"attribute_id": f"{PROJECT}", "value_id": f"{ALL}"})
OF_KEY: Final = Usage("metering_dailyusage", {"api_key_id": "budget.target_id"})
OF_USER: Final = Usage("metering_userdailyusage", {"user_id": "budget.target_id"})
OF_VALUE: Final = Usage(VALUES, {"attribute_id": "attribute.id", "value_id": "found.id"})
IS_NAMED: Final = f"{IS_OWN} AND NOT project.is_default"
IS_DEFAULT: Final = f"{IS_OWN} AND project.is_default"


def _amounts_by_kind(priced: Callable[..., str]) -> dict[BudgetKind, str]:
    """For each kind: rows of (budget_id, day, amount); no amount without a price. What is of no project is of the default
    one: no rows say so, and it is what the others leave of the organization's cost."""
    kind = BudgetKind
    of_project = (
        priced(OF_PROJECT, kind.PROJECT, OWN_PROJECT, where=IS_NAMED),
        _costs(kind.PROJECT, OWN_PROJECT, where=IS_DEFAULT),
        priced(OF_ANY_PROJECT, kind.PROJECT, OWN_PROJECT, sign="-", where=IS_DEFAULT),
    )
    own_sku = "JOIN metering_sku AS sku ON sku.id = cost.sku_id AND sku.model_id = budget.target_id"
    return {
        kind.ORGANIZATION: _costs(kind.ORGANIZATION),
        kind.PROJECT: " UNION ALL ".join(of_project),
        kind.API_KEY: priced(OF_KEY, kind.API_KEY, MEMBERS),
        kind.USER: priced(OF_USER, kind.USER, MEMBERS),
        kind.MODEL: _costs(kind.MODEL, more=own_sku),
        kind.ATTRIBUTE: priced(OF_VALUE, kind.ATTRIBUTE, VALUE),
    }


AMOUNTS: Final = _amounts_by_kind(Usage.priced)
CLUSTER_AMOUNTS: Final = _amounts_by_kind(Usage.priced_on_cluster)


def spent_on(budgets: Iterable[Budget], period: Period) -> dict[int, Decimal]:
    """What counts against each of these budgets in a period, by the budget's id; those without any are at zero."""
    found = {budget.pk: budget for budget in budgets}
    rows = _fetch("SELECT budget_id, sum(amount) FROM ({amounts}) AS amounts GROUP BY 1", found.values(), period)
    return {**dict.fromkeys(found, Decimal(0)), **{budget_id: amount or Decimal(0) for budget_id, amount in rows}}


def daily_costs(budgets: Iterable[Budget], period: Period) -> dict[int, dict[date, Decimal]]:
    """What counts against each of these budgets on each UTC day of a period that has any cost, by the budget's id."""
    found: dict[int, dict[date, Decimal]] = {budget.pk: {} for budget in budgets}
    sql = "SELECT budget_id, day, sum(amount) FROM ({amounts}) AS amounts WHERE amount IS NOT NULL GROUP BY 1, 2"
    for budget_id, day, amount in _fetch(sql, budgets, period):
        found[budget_id][day] = amount
    return found


def _fetch(sql: str, budgets: Iterable[Budget], period: Period) -> list[tuple[Any, ...]]:
    """The rows of a statement over the amounts of these budgets."""
    ids = {budget.pk: BudgetKind(budget.kind) for budget in budgets}
    if not ids:
        return []
    by_kind = CLUSTER_AMOUNTS if is_distributed() else AMOUNTS
    amounts = " UNION ALL ".join(by_kind[kind] for kind in sorted(set(ids.values())))
    asked = "WITH asked AS MATERIALIZED (SELECT * FROM billing_budget WHERE id = ANY(%(budgets)s))"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{asked} {sql.format(amounts=amounts)}", {"budgets": list(ids), "start": period.start, "end": period.end}
        )
        return list(cursor.fetchall())
