"""What usage costs, read from daily costs: frozen rows for the Cost page (docs/metrics.md defines each number).

The cost of a user or key is its own quantity × the unit price of the organization's daily cost, so that every breakdown
adds up to the same total. SQL is built from constants of this module alone; every value travels as a parameter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import Sum

from billing.line_items import QUANTITIES
from billing.models import CreditGrant, DailyCost, LineItem
from metering.periods import Period
from metering.queries import SHOWN_PARTS, Group, UsageQuery

TABLE_PARTS: Final = 100
ZERO: Final = Decimal(0)
PART_COLUMNS: Final = {
    Group.MODEL: "sku.model_id",
    Group.USER: "usage.user_id",
    Group.API_KEY: "usage.api_key_id",
    Group.ORGANIZATION: "cost.organization_id",
    Group.LINE_ITEM: "cost.line_item",
}
# The quantity that a usage row has of the line item of a cost row.
OWN_QUANTITY: Final = (
    "CASE cost.line_item "
    + " ".join(f"WHEN {line_item.value} THEN {expression}" for line_item, expression in QUANTITIES.items())
    + " END"
)


@dataclass(frozen=True)
class DailyAmount:
    """What one part cost on one day; `part` None is everything outside the largest parts. Unpriced usage adds nothing."""

    day: date
    part: int | None
    amount: Decimal


@dataclass(frozen=True)
class PartCost:
    """One part and line item over the whole period. `part` None is everything that the table leaves out."""

    part: int | None
    line_item: LineItem
    quantity: Decimal
    amount: Decimal
    is_unpriced: bool


@dataclass(frozen=True)
class UnpricedModel:
    """Requests whose usage has, in part or whole, no price yet."""

    model_id: int
    num_requests: int


@dataclass(frozen=True)
class Spending:
    """The costs of a period, in the shapes that the Cost page needs."""

    days: tuple[DailyAmount, ...]
    parts: tuple[PartCost, ...]
    unpriced: tuple[UnpricedModel, ...]
    num_parts: int
    compared_amount: Decimal

    @property
    def amount(self) -> Decimal:
        """What the period cost."""
        return sum((row.amount for row in self.days), start=ZERO)


def spending(query: UsageQuery, compared_with: Period) -> Spending:
    """The costs of the query's period and, for the comparison, the amount of another; one statement, one snapshot."""
    parameters = query.parameters() | {"compared_start": compared_with.start, "compared_end": compared_with.end}
    rows = _rows(_spending_sql(query), parameters)
    found: dict[str, list[tuple[Any, ...]]] = {"day": [], "part": [], "unpriced": [], "counted": [], "compared": []}
    for kind, *columns in rows:
        found[kind].append(tuple(columns))
    return Spending(
        days=tuple(DailyAmount(day, part, amount) for day, part, _, _, amount, _ in found["day"]),
        parts=tuple(
            PartCost(part, LineItem(line_item), quantity, amount, is_unpriced)
            for _, part, line_item, quantity, amount, is_unpriced in found["part"]
        ),
        unpriced=tuple(UnpricedModel(part, int(quantity)) for _, part, _, quantity, _, _ in found["unpriced"]),
        num_parts=int(found["counted"][0][3]),
        compared_amount=found["compared"][0][4],
    )


def _spending_sql(query: UsageQuery) -> str:
    costs = _key_costs(query) if query.needs_keys else _organization_costs(query)
    return f"""
        WITH costs AS ({costs}),
        ranked AS (
            SELECT part, row_number() OVER (ORDER BY sum(amount) DESC NULLS LAST, part) AS place
            FROM costs GROUP BY part
        ),
        unpriced AS (
            SELECT DISTINCT organization_id, day, sku_id FROM costs
            WHERE amount IS NULL
        )
        SELECT 'day' AS kind, day, CASE WHEN place <= {SHOWN_PARTS} THEN part END AS shown, NULL::smallint AS line_item,
            NULL::numeric AS quantity, coalesce(sum(amount), 0) AS amount, NULL::boolean AS is_unpriced
        FROM costs JOIN ranked USING (part) GROUP BY day, shown
        UNION ALL
        SELECT 'part', NULL, CASE WHEN place <= {TABLE_PARTS} THEN part END AS shown, line_item,
            sum(quantity), coalesce(sum(amount), 0), bool_or(amount IS NULL)
        FROM costs JOIN ranked USING (part) GROUP BY shown, line_item
        UNION ALL
        SELECT 'unpriced', NULL, sku.model_id, NULL, sum(usage.num_model_requests), NULL, NULL
        FROM unpriced
        JOIN {_usage_table(query)} usage USING (organization_id, day, sku_id)
        JOIN metering_sku sku ON sku.id = usage.sku_id
        WHERE {query.conditions("usage")} GROUP BY sku.model_id
        UNION ALL
        SELECT 'counted', NULL, NULL, NULL, count(*), NULL, NULL FROM ranked
        UNION ALL
        SELECT 'compared', NULL, NULL, NULL, NULL, coalesce(sum(amount), 0), NULL FROM ({_compared_costs(query)}) compared
    """


def _organization_costs(query: UsageQuery) -> str:
    return f"""
        SELECT cost.organization_id, cost.day, cost.sku_id, {PART_COLUMNS[query.group]} AS part, cost.line_item,
            cost.quantity, cost.amount
        FROM billing_dailycost cost JOIN metering_sku sku ON sku.id = cost.sku_id
        WHERE {query.conditions("cost")} AND cost.quantity <> 0
    """


def _key_costs(query: UsageQuery) -> str:
    return f"""
        SELECT usage.organization_id, usage.day, usage.sku_id, {PART_COLUMNS[query.group]} AS part, cost.line_item,
            {OWN_QUANTITY} AS quantity, {OWN_QUANTITY} * cost.unit_price AS amount
        FROM metering_dailyusage usage
        JOIN metering_sku sku ON sku.id = usage.sku_id
        JOIN billing_dailycost cost
            ON cost.organization_id = usage.organization_id AND cost.day = usage.day AND cost.sku_id = usage.sku_id
        WHERE {query.conditions("usage")} AND {OWN_QUANTITY} <> 0
    """


def _compared_costs(query: UsageQuery) -> str:
    """The same costs in the compared period; their sum needs no parts, so the coarsest rows do."""
    ungrouped = replace(query, group=Group.MODEL)
    costs = _key_costs(ungrouped) if ungrouped.needs_keys else _organization_costs(ungrouped)
    return costs.replace("%(start)s", "%(compared_start)s").replace("%(end)s", "%(compared_end)s")


def _usage_table(query: UsageQuery) -> str:
    return "metering_dailyusage" if query.user_ids or query.api_key_ids else "metering_organizationdailyusage"


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def credit_grants(organization_id: int, period: Period) -> list[CreditGrant]:
    """The grants of an organization that began before the end of the period, in the order in which they pay."""
    return list(
        CreditGrant.objects.filter(organization_id=organization_id, effective_at__lt=period.end_at).order_by(
            "expires_at", "priority", "effective_at", "id"
        )
    )


def matters_in(grant: CreditGrant, period: Period) -> bool:
    """Whether a grant's life time meets the period."""
    ends = [end for end in (grant.expires_at, grant.voided_at) if end is not None]
    return grant.effective_at < period.end_at and all(end > period.start_at for end in ends)


def daily_totals(organization_ids: Sequence[int], period: Period) -> dict[date, Decimal]:
    """What these organizations cost together on each UTC day of the period."""
    rows = (
        DailyCost.objects.filter(
            organization_id__in=organization_ids, day__gte=period.start, day__lt=period.end, amount__isnull=False
        )
        .values_list("day")
        .annotate(total=Sum("amount"))
    )
    return dict(rows.order_by("day"))
