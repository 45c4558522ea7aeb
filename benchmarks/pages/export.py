"""Figure: rows per second of the Activity export over HTTP, beside bare COPY of the same columns and rows."""

import io
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.test import Client as Browser

from accounts.clock import database_now
from apikeys.routing import ATTRIBUTED
from benchmarks.load.client import Client
from benchmarks.load.generate import BATCHES_SQL, clear, next_batch_id
from benchmarks.load.servers import HOST, WEB_PORT, memory_mib, program
from benchmarks.load.world import MODELS, World
from benchmarks.measure import Figure, compare, in_turn
from billing.prices import new_models, rating
from metering.intake import skus
from metering.measures import UsageType
from metering.rollups import partitions
from usage_dashboard.machine.processes import Child

DAYS: Final = 60
WANT: Final = 0.5
MOST_MIB: Final = 64
# Each key uses each of these SKUs once a day: a row of the export for every event.
EVENTS_SQL: Final = f"""
INSERT INTO metering_usageevent (
    organization_id, occurred_at, event_id, batch_id, user_id, api_key_id, sku_id, routing,
    num_model_requests, input_tokens, input_cached_tokens, output_tokens
)
SELECT
    %(organization_id)s, %(first)s::timestamptz + interval '12 hours', gen_random_uuid(), %(first_batch)s,
    key.user_id, key.id, sku_id, {int(ATTRIBUTED)}, 1, 1000 + key.id %% 997, 128, 100 + sku_id
FROM apikeys_apikey AS key JOIN accounts_user AS person ON person.id = key.user_id
CROSS JOIN unnest(%(sku_ids)s::integer[]) AS sku_id
WHERE person.default_organization_id = %(organization_id)s
"""
COPY_SQL: Final = """
COPY (
    SELECT
        sku.usage_type, usage.input_tokens, usage.output_tokens, key.public_id, key.name, key.redacted, sku.usage_type,
        model.name, extract(epoch FROM usage.day)::bigint, person.name, usage.num_model_requests, usage.day,
        organization.public_id, organization.name, person.public_id, person.email, sku.service_tier, sku.batch,
        usage.input_cached_tokens, usage.input_cache_write_tokens, usage.images, usage.seconds, usage.characters,
        usage.num_sessions, usage.usage_bytes, usage.input_tokens * cost.unit_price
    FROM metering_dailyusage AS usage
    JOIN metering_sku AS sku ON sku.id = usage.sku_id
    JOIN metering_model AS model ON model.id = sku.model_id
    JOIN accounts_organization AS organization ON organization.id = usage.organization_id
    LEFT JOIN accounts_user AS person ON person.id = usage.user_id
    LEFT JOIN apikeys_apikey AS key ON key.id = usage.api_key_id
    LEFT JOIN billing_dailycost AS cost ON cost.organization_id = usage.organization_id AND cost.day = usage.day
        AND cost.sku_id = usage.sku_id AND cost.line_item = 1
    WHERE usage.organization_id = {organization_id} AND usage.day >= '{start}' AND usage.day < '{end}'
) TO STDOUT (FORMAT csv)
"""


class Sink(io.RawIOBase):
    """A file that forgets what is written to it."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return len(data)


def measure(world: World, *, quick: bool) -> Figure:
    """The figure over 60 days: 120,000 rows (quick) or 1,020,000."""
    clear()
    end = database_now().date()
    start = end - timedelta(days=DAYS)
    num_rows = _fill(world, start, num_skus=2 if quick else 17)
    growth: list[float] = []
    with program("web") as web:
        request = _request(world, start, end)
        _download(web, request, num_rows, [])
        measures: dict[str, Callable[[], float]] = {
            "limit": partial(_copy, world, start, end, num_rows),
            "product": partial(_download, web, request, num_rows, growth),
        }
        found = in_turn(measures, repeats=3 if quick else 7)
    notes = {"rows": num_rows, "MiB above the idle process": max(growth), "most MiB wanted": MOST_MIB}
    return compare("export", unit="rows/s", values=found["product"], limits=found["limit"], want=WANT, notes=notes)


def _fill(world: World, start: date, *, num_skus: int) -> int:
    """One event a day for each key and SKU, rolled up by the product; returns the number of daily rows."""
    wanted = [
        skus.SkuKey(model, int(UsageType.COMPLETIONS), batch=batch) for batch in (False, True) for model in MODELS
    ][:num_skus]
    ids = skus.add(wanted)
    days = [start + timedelta(days=n) for n in range(DAYS)]
    partitions.ensure(days)
    for day in days:
        values: dict[str, Any] = {
            "organization_id": world.organization.id,
            "sku_ids": [ids[key] for key in wanted],
            "first_batch": next_batch_id(),
            "first": f"{day}T00:00:00Z",
            "last": f"{day}T23:59:59Z",
            "num_events": num_skus * len(world.keys),
            "batch": num_skus * len(world.keys),
        }
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(BATCHES_SQL, values)
            cursor.execute(EVENTS_SQL, values)
    rating.catch_up()
    new_models.price_all()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE metering_dailyusage, billing_dailycost")
    return DAYS * num_skus * len(world.keys)


def _request(world: World, start: date, end: date) -> bytes:
    browser = Browser(SERVER_NAME=HOST)
    browser.force_login(world.owner)
    path = f"/settings/organization/{world.organization.slug}/usage/activity/export.csv?start={start}&end={end}"
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()


def _download(web: Child, request: bytes, num_rows: int, growth: list[float]) -> float:
    idle = most = memory_mib(web)
    started, lines, sampled_at = time.monotonic(), 0, 0.0
    for piece in Client(WEB_PORT).download(request):
        lines += piece.count(b"\n")
        if time.monotonic() > sampled_at + 0.1:
            sampled_at = time.monotonic()
            most = max(most, memory_mib(web))
    seconds = time.monotonic() - started
    if lines < num_rows:
        raise RuntimeError(f"The export has {lines} lines for {num_rows} rows.")
    growth.append(most - idle)
    return num_rows / seconds


def _copy(world: World, start: date, end: date, num_rows: int) -> float:
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.copy_expert(COPY_SQL.format(organization_id=world.organization.id, start=start, end=end), Sink())
        if cursor.rowcount != num_rows:
            raise RuntimeError(f"COPY wrote {cursor.rowcount} rows, not {num_rows}.")
    return num_rows / (time.monotonic() - started)
