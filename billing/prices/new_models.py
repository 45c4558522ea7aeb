"""Models that are new to the price book: looked up in the default price list beside the rollups, some at a time.

The rollup counts usage of a new model at once, without a price, and notes it as WaitingUsage. A run here takes the next
models, an organization's first new one before another's second, so that thousands of names of one keep nobody waiting.
Prices and the cost that follows from them come in one transaction.
"""

import logging
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from billing.budgets import looks
from billing.prices import book, rating
from metering import isolation
from metering.models import FailedItem, Model
from metering.rollups import run
from metering.rollups.touched import touch

logger = logging.getLogger(__name__)
TASK: Final = "price a new model"

NEXT_SQL: Final = """
WITH wanted AS (
    SELECT DISTINCT waiting.organization_id, sku.model_id
    FROM billing_waitingusage AS waiting
    CROSS JOIN LATERAL (SELECT model_id FROM metering_sku AS found WHERE found.id = waiting.sku_id OFFSET 0) AS sku
),
in_turn AS (
    SELECT model_id, row_number() OVER (PARTITION BY organization_id ORDER BY model_id) AS turn FROM wanted
)
SELECT model_id FROM in_turn
WHERE model_id <> ALL (%s)
GROUP BY model_id
ORDER BY min(turn), model_id
LIMIT %s
"""
WAITS: Final = "billing_waitingusage WHERE sku_id = ANY (ARRAY(SELECT id FROM metering_sku WHERE model_id = ANY (%s)))"
PROVIDERS_SQL: Final = """
SELECT DISTINCT sku.model_id, sku.provider, named.word
FROM billing_waitingusage AS waiting
JOIN metering_sku AS sku ON sku.id = waiting.sku_id
JOIN metering_priceword AS named ON named.id = sku.provider
WHERE sku.model_id = ANY (%s)
ORDER BY 1, 2
"""
DONE_SQL: Final = """
DELETE FROM billing_waitingusage AS waiting USING {touched} AS touched
WHERE (waiting.organization_id, waiting.day, waiting.sku_id) = (touched.organization_id, touched.day, touched.sku_id)
"""


def price_next() -> int:
    """Price the next models that wait (PRICE_MODELS_AT_ONCE at most); returns how many. Safe to call from anywhere.

    One that fails stops none of the others, and is tried again later.
    """
    models = _next_models()
    failed = set(FailedItem.objects.filter(task=TASK).values_list("item", flat=True)) if models else ()
    alone = [model for model in models if model.name in failed]
    together = [model for model in models if model.name not in failed]
    try:
        _price(together)
    except Exception:
        logger.warning("%d new models could not be priced together; now one by one.", len(together), exc_info=True)
        alone, together = models, []
    done = isolation.do_each(TASK, alone, lambda model: _price([model]), name=lambda model: model.name)
    return len(together) + len(done)


def price_all() -> int:
    """Price until no model waits; returns how many."""
    total = 0
    while num_models := price_next():
        total += num_models
    return total


def _next_models() -> list[Model]:
    passed_over = Model.objects.filter(name__in=isolation.passed_over(TASK)).values_list("id", flat=True)
    with connection.cursor() as cursor:
        cursor.execute(NEXT_SQL, [list(passed_over), settings.PRICE_MODELS_AT_ONCE])
        chosen = [model_id for (model_id,) in cursor.fetchall()]
    return list(Model.objects.filter(id__in=chosen).order_by("id"))


def _at_providers(models: Sequence[Model]) -> list[tuple[Model, int, str]]:
    """The providers, as number and word, whose usage of these models waits."""
    by_id = {model.pk: model for model in models}
    with connection.cursor() as cursor:
        cursor.execute(PROVIDERS_SQL, [list(by_id)])
        return [(by_id[model_id], provider, word) for model_id, provider, word in cursor.fetchall()]


def _price(models: Sequence[Model]) -> None:
    """Put the list's prices of these models, and those at the providers that events name, into the book, and rate what waited."""
    found = [(model, book.look_up(model.name)) for model in models]
    if not found:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        run.lock(cursor, wait=True)
        book.add(found)
        book.add_of_providers(_at_providers(models))
        touched = touch(cursor, WAITS, [[model.pk for model in models]])
        look = rating.rate_again(cursor, touched)
        cursor.execute(DONE_SQL.format(touched=touched.table))
    looks.take(look)
