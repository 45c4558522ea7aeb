"""Waiting events by the million, made inside PostgreSQL with the same skew as the events that come over HTTP."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.apps import apps
from django.db import connection, transaction

from apikeys.routing import ATTRIBUTED
from benchmarks.load import purposes
from benchmarks.load.world import KEY_SKEW, MODEL_SKEW, World, shares
from metering.attribution_models import AttributeValue, AttributeValueMonth, Attribution, AttributionPart
from metering.models import Model, Sku
from metering.rollups import partitions

DICTIONARIES: Final = (Model, Sku, Attribution, AttributionPart, AttributeValue, AttributeValueMonth)
SLOTS: Final = 20_000
"""The skew as a table: a key or model has as many of these slots as it has of usage."""
PICKS: Final = f"pick{SLOTS}"
BATCHES_SQL: Final = """
INSERT INTO metering_ingestbatch (id, first_occurred_at, last_occurred_at, num_events, received_at)
SELECT %(first_batch)s + n, %(first)s, %(last)s, least(%(batch)s, %(num_events)s - n * %(batch)s), clock_timestamp()
FROM generate_series(0, (%(num_events)s - 1) / %(batch)s) AS n
"""
TAKE_IDS_SQL: Final = """
SELECT setval(pg_get_serial_sequence('metering_ingestbatch', 'id'), max(id)) FROM metering_ingestbatch
"""
EVENTS_SQL: Final = f"""
INSERT INTO {{table}} (
    organization_id, occurred_at, event_id, batch_id, user_id, api_key_id, sku_id, routing, attribution_id,
    num_model_requests, input_tokens, input_cached_tokens, output_tokens
)
SELECT
    %(organization_id)s, at, gen_random_uuid(), %(first_batch)s + n / %(batch)s, keys.user_id, keys.key_id, skus.sku_id,
    {int(ATTRIBUTED)}, {{attribution}}, 1, input_tokens, input_tokens / 256 * 128, output_tokens
FROM (
    SELECT
        n, %(first)s + random() * %(span)s AS at,
        floor(random() * {SLOTS})::integer AS key_slot, floor(random() * {SLOTS})::integer AS sku_slot,
        20 + floor(-1500 * ln(1 - random()))::bigint AS input_tokens,
        1 + floor(-300 * ln(1 - random()))::bigint AS output_tokens
    FROM generate_series(0, %(num_events)s - 1) AS n
) AS event
JOIN {PICKS} AS keys ON keys.organization_id = %(organization_id)s AND keys.slot = key_slot
JOIN {PICKS} AS skus ON skus.organization_id = %(organization_id)s AND skus.slot = sku_slot
{{join}}
"""
WITHOUT_PURPOSE: Final = {"attribution": "0", "join": ""}
WITH_PURPOSE: Final = {
    "attribution": "purpose.attribution_id",
    "join": f"JOIN {purposes.TABLE} AS purpose ON purpose.key_id = keys.key_id AND purpose.slot = n %% {purposes.SLOTS}",
}


@dataclass(frozen=True, slots=True)
class Made:
    """Batches that wait: their ids, and the bounds of their events' times."""

    num_events: int
    first_batch: int
    last_batch: int
    first: datetime
    last: datetime


def generate(  # noqa: PLR0913 - what the events are like
    world: World,
    *,
    num_events: int,
    start: datetime,
    span: timedelta,
    batch: int = 1_000,
    with_purpose: bool = False,
) -> Made:
    """`num_events` new events at random moments of `span` from `start` on, in batches that wait to be rolled up.

    `with_purpose` says that the world has purposes (`benchmarks.load.purposes`), and that the events are for them.
    """
    _make_picks(world)
    end = start + span
    partitions.ensure(start.date() + timedelta(days=n) for n in range((end.date() - start.date()).days + 1))
    first_batch = next_batch_id()
    values: dict[str, Any] = {
        "organization_id": world.organization.id,
        "first_batch": first_batch,
        "first": start,
        "last": end,
        "span": span,
        "num_events": num_events,
        "batch": batch,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BATCHES_SQL, values)
        purpose = WITH_PURPOSE if with_purpose else WITHOUT_PURPOSE
        cursor.execute(EVENTS_SQL.format(table=_table(start.date(), end.date()), **purpose), values)
        cursor.execute(TAKE_IDS_SQL)
    return Made(num_events, first_batch, first_batch + (num_events - 1) // batch, start, end)


def clear() -> None:
    """No events and no rollups, and nothing left to write back. Dictionaries stay, because processes remember them."""
    growing = [model for model in apps.get_app_config("metering").get_models() if model not in DICTIONARIES]
    tables = [model._meta.db_table for model in growing] + ["billing_dailycost"]  # noqa: SLF001 - Django's documented API
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)}")
        cursor.execute("CHECKPOINT")


def _table(first: date, last: date) -> str:
    return partitions.partition_name(first) if first == last else partitions.TABLE


def next_batch_id() -> int:
    """A batch id that nothing has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('metering_ingestbatch', 'id'))")
        (found,) = cursor.fetchone()
    assert isinstance(found, int)
    return found


def _make_picks(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE UNLOGGED TABLE IF NOT EXISTS {PICKS}"
            " (organization_id bigint, slot integer, key_id bigint, user_id bigint, sku_id integer)"
        )
        cursor.execute(f"SELECT EXISTS (SELECT FROM {PICKS} WHERE organization_id = %s)", [world.organization.id])
        if cursor.fetchone()[0]:
            return
        keys = _slots(len(world.keys), KEY_SKEW)
        skus = _slots(len(world.sku_ids), MODEL_SKEW)
        cursor.execute(
            f"INSERT INTO {PICKS} SELECT %s, * FROM unnest(%s::integer[], %s::bigint[], %s::bigint[], %s::integer[])",
            [
                world.organization.id,
                list(range(SLOTS)),
                [world.keys[key].id for key in keys],
                [world.keys[key].user_id for key in keys],
                [world.sku_ids[sku] for sku in skus],
            ],
        )
        cursor.execute(f"ANALYZE {PICKS}")


def _slots(number: int, skew: float) -> list[int]:
    """For each slot the rank that it belongs to."""
    bounds = shares(number, skew)
    ranks, rank = [], 0
    for slot in range(SLOTS):
        while bounds[rank] * SLOTS <= slot and rank < number - 1:
            rank += 1
        ranks.append(rank)
    return ranks
