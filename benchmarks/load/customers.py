"""Waiting events of 10,000 keys that belong to a few organizations or to thousands: the same usage, other customers.

Each key is a user's own and mostly uses one model: three quarters of its requests are for that one, the others for the next.
"""

from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction

from accounts.clock import database_now
from accounts.models import Organization
from apikeys.routing import ATTRIBUTED
from benchmarks.load.generate import BATCHES_SQL, TAKE_IDS_SQL, Made, next_batch_id
from benchmarks.load.world import KEY_SKEW, World, shares
from metering.rollups import partitions

NUM_KEYS: Final = 10_000
SLOTS: Final = 200_000
"""The skew as a table: a key has as many of these slots as it has of usage."""
TABLE: Final = f"customers{SLOTS}"
BATCH: Final = 1_000
SPAN: Final = timedelta(minutes=30)
FIRST_KEY: Final = 1_000_000_000
"""Far beyond the ids of keys that exist. Rollups ask for no more than the number."""

SLOTS_SQL: Final = f"""
CREATE UNLOGGED TABLE IF NOT EXISTS {TABLE} (world text, slot integer, organization_id bigint, key_id bigint);
INSERT INTO {TABLE}
SELECT %(world)s, slots.slot, (%(organizations)s::bigint[])[1 + slots.rank %% %(number)s], {FIRST_KEY} + slots.rank
FROM unnest(%(ranks)s::integer[]) WITH ORDINALITY AS slots (rank, slot);
ANALYZE {TABLE};
"""
EVENTS_SQL: Final = f"""
INSERT INTO metering_usageevent (
    organization_id, occurred_at, event_id, batch_id, user_id, api_key_id, sku_id, routing,
    num_model_requests, input_tokens, input_cached_tokens, output_tokens
)
SELECT
    customer.organization_id, at, gen_random_uuid(), %(first_batch)s + n / {BATCH}, customer.key_id, customer.key_id,
    (%(skus)s::integer[])[1 + (customer.key_id + is_other) %% %(num_skus)s], {int(ATTRIBUTED)},
    1, input_tokens, input_tokens / 256 * 128, output_tokens
FROM (
    SELECT
        n, %(first)s + random() * %(span)s AS at, 1 + floor(random() * {SLOTS})::integer AS slot,
        (random() < 0.25)::integer AS is_other,
        20 + floor(-1500 * ln(1 - random()))::bigint AS input_tokens,
        1 + floor(-300 * ln(1 - random()))::bigint AS output_tokens
    FROM generate_series(0, %(num_events)s - 1) AS n
) AS event
JOIN {TABLE} AS customer ON customer.world = %(world)s AND customer.slot = event.slot
"""


def make_customers(number: int) -> str:
    """That many organizations, to which the keys belong in turn; returns what they are called together."""
    world = f"customers-{number}"
    if Organization.objects.filter(slug=f"{world}-0").exists():
        return world  # of an earlier attempt
    organizations = Organization.objects.bulk_create(
        Organization(name=f"Customer {rank}", slug=f"{world}-{rank}") for rank in range(number)
    )
    bounds = shares(NUM_KEYS, KEY_SKEW)
    ranks, rank = [], 0
    for slot in range(SLOTS):
        while bounds[rank] * SLOTS <= slot and rank < NUM_KEYS - 1:
            rank += 1
        ranks.append(rank)
    values: dict[str, Any] = {
        "world": world,
        "organizations": [organization.pk for organization in organizations],
        "number": number,
    }
    with connection.cursor() as cursor:
        cursor.execute(SLOTS_SQL, {**values, "ranks": ranks})
    return world


def generate(customers: str, world: World, *, num_events: int) -> Made:
    """New events of these customers in the current hour, for the models of the world, in batches that wait."""
    first = database_now().replace(minute=0, second=0, microsecond=0)
    last = first + SPAN
    partitions.ensure([first.date()])
    first_batch = next_batch_id()
    values: dict[str, Any] = {
        "world": customers,
        "skus": list(world.sku_ids),
        "num_skus": len(world.sku_ids),
        "first_batch": first_batch,
        "first": first,
        "last": last,
        "span": SPAN,
        "num_events": num_events,
        "batch": BATCH,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BATCHES_SQL, values)
        cursor.execute(EVENTS_SQL, values)
        cursor.execute(TAKE_IDS_SQL)
    return Made(num_events, first_batch, first_batch + (num_events - 1) // BATCH, first, last)
