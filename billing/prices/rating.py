"""Daily usage × price book → daily cost, in SQL. Cost is a pure function of both: it can be computed again at any time."""

import logging
from collections.abc import Callable, Collection
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from billing.budgets import looks
from billing.changes import costs
from billing.changes.kept import BudgetLook
from billing.line_items import CHARGED_SQL, QUANTITIES_SQL, WIDER_SQL
from billing.models import LineItem
from billing.payer_history import PAYER, payer_join
from billing.prices.book import INCLUDED, PACKAGE
from metering import isolation, price_words, service_tiers
from metering.models import FailedItem, IngestBatch
from metering.rollups import run
from metering.rollups.completeness import NotCompleteError
from metering.rollups.touched import Touched

logger = logging.getLogger(__name__)
NARROWER: Final = 8
ATTEMPTS: Final = 8  # while nodes of a cluster still commit batches
MAX_SET_ASIDE: Final = 50
SCOPE: Final = "provider, usage_type, service_tier, batch, speed, region, context_band"

# Whose price it is comes before how special it is: the organization's own before its payer's, before what people set for
# everybody, before the default price list; in each a price of the very part before one of the wider part, then the most
# specific scope, and the highest context band that the SKU reaches. In each scope the latest row that has begun. A scope whose
# pricing has ended is passed over; but where people ended pricing for everybody, the list does not take its place. The list
# knows nothing of tiers that it does not name; that a unit is free because another one is charged holds for events that report
# both; and that all output of image requests is images, for events that do not say which of it is.
# `item` says what is asked for: a line item and day, and the organization that uses it and who pays, if they have prices of
# their own.
PRICE_SQL: Final = f"""
SELECT chosen.id, chosen.unit_price
FROM (
    SELECT latest.*
    FROM (
        SELECT DISTINCT ON (organization_id, is_listed, line_item, {SCOPE}) price.*, is_listed
        FROM billing_price AS price, starts_with(price.source, '{PACKAGE}') AS is_listed
        WHERE price.model_id = sku.model_id
          AND price.line_item = ANY (ARRAY[item.line_item, {WIDER_SQL}])
          AND (price.organization_id IN (item.organization_id, item.payer_id) OR price.organization_id IS NULL)
          AND (price.usage_type = sku.usage_type OR price.usage_type IS NULL)
          AND (price.usage_type IS NULL OR item.line_item <> {LineItem.OUTPUT.value} OR NOT (sku.output_is_split AND is_listed))
          AND (price.provider = sku.provider OR price.provider IS NULL)
          AND (price.speed = sku.speed OR price.speed IS NULL)
          AND (price.region = sku.region OR price.region IS NULL)
          AND (price.service_tier = sku.service_tier
               OR price.service_tier IS NULL AND (sku.service_tier < {service_tiers.OTHER} OR NOT is_listed))
          AND (sku.in_both_units IS NOT FALSE OR right(price.source, {len(INCLUDED)}) <> '{INCLUDED}')
          AND (price.batch = sku.batch OR price.batch IS NULL)
          AND price.context_band <= sku.context_band
          AND price.effective_date <= item.day
        ORDER BY organization_id, is_listed, line_item, {SCOPE}, effective_date DESC
    ) AS latest
    WHERE latest.unit_price IS NOT NULL OR (latest.organization_id IS NULL AND NOT latest.is_listed)
    ORDER BY
        latest.organization_id IS NULL, latest.organization_id <> item.organization_id, latest.is_listed,
        latest.unit_price IS NULL, latest.line_item <> item.line_item,
        latest.provider IS NULL, latest.usage_type IS NULL, latest.service_tier IS NULL, latest.batch IS NULL,
        latest.speed IS NULL, latest.region IS NULL, latest.context_band DESC
    LIMIT 1
) AS chosen
WHERE chosen.unit_price IS NOT NULL
"""
ALL_USAGE: Final = "metering_organizationdailyusage AS usage JOIN metering_sku AS sku ON sku.id = usage.sku_id"


def _with_prices(organization_id: str) -> str:
    """SQL for the organization's id if there are prices for it alone, else null."""
    return f"(SELECT organization_id FROM billing_price WHERE organization_id = {organization_id} LIMIT 1)"


# Who buys: the organization that uses and the one that pays (PAYER), and which of them have prices of their own; 0 stands for
# those that have none, for all of which the same prices hold. Looked up by key, once an organization and day (OFFSET).
BUYER_SQL: Final = f"""
CROSS JOIN LATERAL (
    SELECT
        buyer.payer_id,
        coalesce({_with_prices("usage.organization_id")}, 0) AS own_prices_id,
        coalesce({_with_prices("buyer.payer_id")}, 0) AS payers_prices_id
    FROM (
        SELECT {PAYER} AS payer_id
        FROM (SELECT usage.organization_id) AS used
        LEFT JOIN accounts_organization AS organization ON organization.id = used.organization_id
        {payer_join("used.organization_id", "usage.day")}
    ) AS buyer
    OFFSET 0
) AS buyer
"""
# Quantities of nothing cost nothing and make no row, unless a correction brought an existing row down to nothing. What a day's
# usage has cost so far is looked up once, by key (OFFSET).
HAS_COST: Final = "(item.quantity <> 0 OR item.line_item = ANY (rated.line_items))"
RATED_SQL: Final = """
CROSS JOIN LATERAL (
    SELECT ARRAY (
        SELECT line_item FROM billing_dailycost AS cost
        WHERE cost.organization_id = usage.organization_id AND cost.day = usage.day AND cost.sku_id = usage.sku_id
    ) AS line_items OFFSET 0
) AS rated
"""


def cost_of(usage_rows: str, only: str = "true") -> str:
    """The query for what usage rows cost by the book as it is. `usage_rows` is a FROM item of rows named `usage` and their
    `sku`; `only` is a condition about these, the `item` and the `buyer`.

    A price is looked up once for all the organizations that have the same, of which there may be thousands.
    """
    return f"""
WITH charged AS MATERIALIZED (
    SELECT
        usage.organization_id, usage.day, usage.sku_id, item.line_item, item.quantity,
        buyer.own_prices_id, buyer.payers_prices_id
    FROM {usage_rows}
    {BUYER_SQL}
    {RATED_SQL}
    CROSS JOIN LATERAL ({QUANTITIES_SQL}) AS item (line_item, quantity)
    WHERE {HAS_COST} AND {only}
),
priced AS MATERIALIZED (
    SELECT item.*, price.id AS price_id, price.unit_price
    FROM (
        SELECT DISTINCT own_prices_id AS organization_id, payers_prices_id AS payer_id, day, sku_id, line_item FROM charged
    ) AS item
    CROSS JOIN LATERAL (SELECT * FROM metering_sku AS found WHERE found.id = item.sku_id OFFSET 0) AS sku
    LEFT JOIN LATERAL ({PRICE_SQL}) AS price ON true
    WHERE price.id IS NOT NULL OR (sku.usage_type, item.line_item) IN ({CHARGED_SQL})
)
SELECT
    charged.organization_id, charged.day, charged.sku_id, charged.line_item, charged.quantity,
    priced.unit_price, charged.quantity * priced.unit_price AS amount, priced.price_id
FROM charged JOIN priced
    ON (priced.organization_id, priced.payer_id, priced.day, priced.sku_id, priced.line_item)
     = (charged.own_prices_id, charged.payers_prices_id, charged.day, charged.sku_id, charged.line_item)
"""


# To be completed with the name of a table of touched rows. They are looked up row by row, whatever the statistics say (OFFSET
# keeps the order of the joins): the work grows with what was touched, not with what is stored. Statistics know nothing of
# SKUs that came a second ago.
TOUCHED_USAGE: Final = """{touched} AS touched
CROSS JOIN LATERAL (
    SELECT * FROM metering_organizationdailyusage AS stored
    WHERE stored.organization_id = touched.organization_id AND stored.day = touched.day AND stored.sku_id = touched.sku_id
    OFFSET 0
) AS usage
CROSS JOIN LATERAL (SELECT * FROM metering_sku AS found WHERE found.id = touched.sku_id OFFSET 0) AS sku
"""
TOUCHED_COST_SQL: Final = cost_of(TOUCHED_USAGE)
# Statistics know neither how few prices a run asks for, so that rows would be sorted by them, nor that hardly two rows are of the
# same quantities, so that each would be remembered.
_NOT_OF_USE: Final = ("enable_mergejoin", "enable_memoize")
PLAN: Final = "; ".join(f"SET LOCAL {plan} = off" for plan in _NOT_OF_USE)
PLAN_AGAIN: Final = "; ".join(f"SET LOCAL {plan} TO DEFAULT" for plan in _NOT_OF_USE)
UPSERT_SQL: Final = f"""
INSERT INTO billing_dailycost (organization_id, day, sku_id, line_item, quantity, unit_price, amount, price_id)
{TOUCHED_COST_SQL}
ORDER BY 1, 2, 3, 4
ON CONFLICT (organization_id, day, sku_id, line_item) DO UPDATE
SET quantity = excluded.quantity, unit_price = excluded.unit_price, amount = excluded.amount, price_id = excluded.price_id
"""
# Line items that had a price, have none now, and need none.
VANISHED_SQL: Final = f"""
WITH expected AS MATERIALIZED ({TOUCHED_COST_SQL})
DELETE FROM billing_dailycost AS old
USING {{touched}} AS touched
WHERE old.organization_id = touched.organization_id AND old.day = touched.day AND old.sku_id = touched.sku_id
  AND NOT EXISTS (
    SELECT FROM expected
    WHERE expected.organization_id = old.organization_id AND expected.day = old.day AND expected.sku_id = old.sku_id
      AND expected.line_item = old.line_item
  )
"""
# Rows of models that nobody looked up in the default price list yet, or not at this provider.
WAITING_SQL: Final = f"""
INSERT INTO billing_waitingusage (organization_id, day, sku_id)
SELECT touched.organization_id, touched.day, touched.sku_id
FROM {{touched}} AS touched
CROSS JOIN LATERAL (SELECT model_id, provider FROM metering_sku AS found WHERE found.id = touched.sku_id OFFSET 0) AS sku
WHERE (SELECT true FROM billing_pricesource AS source WHERE source.model_id = sku.model_id LIMIT 1) IS NULL
   OR sku.provider > {price_words.OTHER} AND (
    SELECT true FROM billing_providerpricesource AS source
    WHERE source.model_id = sku.model_id AND source.provider = sku.provider LIMIT 1
   ) IS NULL
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
"""


def roll_up_and_rate(*, max_events: int | None = None, passed_over: Collection[int] = ()) -> int:
    """Roll up the next waiting batches and rate what they touched, in one transaction; returns the number of events.

    Safe to call at any time and from anywhere: while another process rolls up, it returns 0.
    """
    passed_over = {*passed_over}
    for _ in range(ATTEMPTS - 1):
        try:
            return _roll_up_and_rate(max_events, passed_over)
        except NotCompleteError as error:
            passed_over |= {*error.batches}
    return _roll_up_and_rate(max_events, passed_over)


def _roll_up_and_rate(max_events: int | None, passed_over: Collection[int]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        if not run.lock(cursor, wait=False):
            return 0
        done = run.roll_up(cursor, max_events=max_events, passed_over=passed_over)
        if done is None:
            return 0
        look = rate(cursor, done.touched)
    looks.take(look)
    return done.num_events


def catch_up(*, rest: Callable[[], bool] | None = None) -> int:
    """Roll up until nothing waits; returns the number of events. Batches on which it fails are set aside for a while.

    After a failure fewer events are taken at once, until a single batch is left that fails. `rest` is called after each
    run that took all that waited, and says whether to look once more.
    """
    total, max_events = 0, settings.ROLL_UP_MAX_EVENTS
    while True:
        passed_over = _set_aside()
        try:
            num_events = roll_up_and_rate(max_events=max_events, passed_over=passed_over)
        except Exception as error:
            logger.exception("A rollup of up to %s events failed", max_events)
            if max_events > 1:
                max_events = max(1, max_events // NARROWER)
            else:
                _set_first_aside(passed_over, error)
            continue
        _forget_rolled_up()
        if not num_events:
            break
        total += num_events
        if rest is not None and num_events < max_events and not rest():
            break
        max_events = min(max_events * 2, settings.ROLL_UP_MAX_EVENTS)
    return total


def _set_aside() -> set[int]:
    return {int(name.removeprefix(run.BATCH)) for name in isolation.passed_over(run.TASK)}


def _set_first_aside(passed_over: Collection[int], error: Exception) -> None:
    """The batch that failed alone; raises the error again if there have been so many that it is not the batches' fault."""
    found = IngestBatch.objects.filter(rolled_up_at=None).exclude(pk__in=passed_over).order_by("pk").first()
    if found is None or len(passed_over) >= MAX_SET_ASIDE:
        raise error
    isolation.count_failure(run.TASK, f"{run.BATCH}{found.pk}", error)


def _forget_rolled_up() -> None:
    failed = {int(each.item.removeprefix(run.BATCH)): each for each in FailedItem.objects.filter(task=run.TASK)}
    if failed:
        done = IngestBatch.objects.filter(pk__in=failed, rolled_up_at__isnull=False).values_list("pk", flat=True)
        FailedItem.objects.filter(pk__in=[failed[batch_id].pk for batch_id in done]).delete()


def rate(cursor: Any, touched: Touched) -> BudgetLook | None:
    """Compute the cost of the rows by the book as it is. Returns the look at budgets to be taken when that is committed.

    Rows of models that were not looked up in the default price list yet are noted for `new_models`, which rates them again.
    """
    cursor.execute(PLAN)
    cursor.execute(UPSERT_SQL.format(touched=touched.table))
    cursor.execute(PLAN_AGAIN)
    costs.note(cursor, touched.table)
    cursor.execute(WAITING_SQL.format(touched=touched.table))
    return looks.note(cursor, touched.table)


def rate_again(cursor: Any, touched: Touched) -> BudgetLook | None:
    """Compute the cost of the rows by the book as it is now, whatever they cost before. Returns what `rate` does."""
    look = rate(cursor, touched)
    cursor.execute(VANISHED_SQL.format(touched=touched.table))
    return look
