"""Every number on both pages of the Usage tab equals the same number from SQL over raw events.

The organization is generated: every usage type, several people, keys with and without tracking, a child organization, a
model without a price, and corrections. Parts are few, so that each has bars of its own.
"""

import html
import random
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.clock import database_now
from accounts.models import User
from accounts.periods import month_of
from apikeys.models import APIKey
from billing.display import dollars, exact_dollars
from billing.line_items import QUANTITIES_SQL
from metering.display import exact
from metering.measures import ALLOWED_MEASURES, UsageType
from metering.pages.axis import label
from tests.engine import days_ago, make_key, make_token, roll_up, send
from tests.metering.pages.test_activity_page import figures, page_of, top_list
from tests.world import World, join

SignIn = Callable[[User], Client]
TAB = "/settings/organization/acme/usage"
UNTRACKED_SINCE = datetime(2023, 6, 1, tzinfo=UTC)
NUM_DAYS = 6
NUM_EVENTS = 400
HOURS = (0, 4, 13, 13, 23)
MODELS = {
    UsageType.COMPLETIONS: ("gpt-4o", "nobody-knows"),
    UsageType.EMBEDDINGS: ("text-embedding-3-small",),
    UsageType.MODERATIONS: ("omni-moderation-latest",),
    UsageType.IMAGES: ("gpt-4o",),
    UsageType.AUDIO_SPEECHES: ("tts-1",),
    UsageType.AUDIO_TRANSCRIPTIONS: ("whisper-1",),
    UsageType.VECTOR_STORES: ("vector_stores",),
    UsageType.CODE_INTERPRETER_SESSIONS: ("vector_stores",),
    UsageType.FILE_SEARCH_CALLS: ("gpt-4o",),
    UsageType.WEB_SEARCH_CALLS: ("gpt-4o",),
}
# chart → the quantity of a raw event
CHARTS = {
    "requests": "usage.num_model_requests",
    "tokens": "coalesce(usage.input_tokens, 0) + coalesce(usage.output_tokens, 0)",
    "images": "usage.images",
    "seconds": "usage.seconds",
    "characters": "usage.characters",
    "usage-bytes": "usage.usage_bytes",
    "sessions": "usage.num_sessions",
    "reasoning-tokens": "usage.output_reasoning_tokens",
    "searches": "CASE WHEN sku.usage_type IN (9, 10) THEN usage.num_model_requests END",
}
UNITS = {"seconds": " s", "usage-bytes": " B"}
TIERS = "(VALUES (1, 'default'), (2, 'flex'), (3, 'priority'), (4, 'scale'))"
PARTS = {
    "model": "model.name",
    "user": "member.name",
    "api_key": "CASE WHEN usage.routing & 6 = 6 THEN key.name ELSE 'Untracked' END",
    "organization": "organization.name",
    "service_tier": f"(SELECT tier.name FROM {TIERS} AS tier (id, name) WHERE tier.id = sku.service_tier)",
}
RAW = """
    FROM metering_usageevent usage
    JOIN metering_sku sku ON sku.id = usage.sku_id
    JOIN metering_model model ON model.id = sku.model_id
    JOIN accounts_user member ON member.id = usage.user_id
    JOIN accounts_organization organization ON organization.id = usage.organization_id
    LEFT JOIN apikeys_apikey key ON key.id = usage.api_key_id
"""
STEPS = {"month": "1 day", "day": "1 hour", "hour": "1 minute"}


@pytest.fixture
def generated(world: World) -> World:
    """Usage of the last days, sent as events and rolled up."""
    rng = random.Random(20_261_122)
    join(world.rita, world.labs, role="reader")
    keys = [
        *(_named(make_key(user), f"{user.name}'s key") for user in (world.rita, world.bob, world.alice)),
        _named(make_key(world.bob, created_at=UNTRACKED_SINCE), "old key"),
    ]
    events = [_event(rng, n, keys, world) for n in range(NUM_EVENTS)]
    token = make_token()
    assert set(send(events, token)) == {"accepted"}
    corrected = next(event for event in events if event["usage_type"] == "completions")
    negative = {name: -value for name, value in corrected.items() if name.endswith("_tokens")}
    correction = corrected | negative | {"id": "correction", "corrects": corrected["id"], "num_model_requests": -1}
    assert send([correction], token) == ["accepted"]
    roll_up()
    return world


def _named(key: APIKey, name: str) -> APIKey:
    APIKey.objects.filter(pk=key.pk).update(name=name)
    return key


def _event(rng: random.Random, number: int, keys: list[APIKey], world: World) -> dict[str, Any]:
    usage_type = rng.choice(list(UsageType))
    key = rng.choice(keys)
    measures = {name: rng.randrange(1, 10**9) for name in ALLOWED_MEASURES[usage_type] if "_tokens" not in name}
    if "input_tokens" in ALLOWED_MEASURES[usage_type]:
        measures |= {"input_tokens": rng.randrange(10**6, 10**7), "input_cached_tokens": rng.randrange(10**6)}
    if "output_tokens" in ALLOWED_MEASURES[usage_type]:
        measures["output_tokens"] = rng.randrange(10**7)
        measures["output_reasoning_tokens"] = rng.randrange(measures["output_tokens"] + 1)
    event: dict[str, Any] = {
        "id": f"event-{number}",
        "timestamp": days_ago(rng.randrange(NUM_DAYS), hour=rng.choice(HOURS)) + timedelta(seconds=rng.randrange(3600)),
        "usage_type": usage_type.label,
        "model": rng.choice(MODELS[usage_type]),
        "service_tier": rng.choice(["default", "flex"]),
        "api_key_id": key.public_id,
        **measures,
    }
    if event["timestamp"] > database_now():
        event["timestamp"] -= timedelta(days=1)
    if key.user == world.rita and rng.random() < 0.3:
        event["organization"] = world.labs.public_id
    return event


def raw_sums(part: str, quantity: str, span: tuple[datetime, datetime], step: str) -> dict[str, dict[str, int]]:
    """Part → label of the bar → the sum of a quantity, from raw events."""
    sums: dict[str, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {part}, date_bin(%s::interval, usage.occurred_at, '2000-01-01 00:00Z'), coalesce(sum({quantity}), 0)"
            f" {RAW} WHERE usage.occurred_at >= %s AND usage.occurred_at < %s GROUP BY 1, 2",
            [step, *span],
        )
        for name, slot, number in cursor.fetchall():
            sums[name][label(slot.date() if step == "1 day" else slot)] = int(number)
    return {name: found for name, found in sums.items() if any(found.values())}


def raw_costs(part: str, span: tuple[datetime, datetime]) -> dict[str, Decimal]:
    """Part → quantity × unit price of its raw events."""
    with connection.cursor() as cursor:
        measures = ", ".join(f"coalesce(usage.{name}, 0)::numeric AS {name}" for name in _measures())
        cursor.execute(
            f"""
            SELECT part, sum(item.quantity * cost.unit_price) FROM (
                SELECT {part} AS part, usage.organization_id, usage.sku_id, usage.occurred_at, {measures} {RAW}
                WHERE usage.occurred_at >= %s AND usage.occurred_at < %s
            ) AS usage
            CROSS JOIN LATERAL ({QUANTITIES_SQL}) AS item (line_item, quantity)
            JOIN billing_dailycost cost ON cost.organization_id = usage.organization_id AND cost.sku_id = usage.sku_id
                AND cost.day = (usage.occurred_at AT TIME ZONE 'UTC')::date AND cost.line_item = item.line_item
            GROUP BY part
            """,
            span,
        )
        return {name: amount for name, amount in cursor.fetchall() if amount}


def _measures() -> list[str]:
    return sorted(set().union(*ALLOWED_MEASURES.values()))


def spans() -> dict[str, tuple[str, tuple[datetime, datetime]]]:
    """Step → query string and span: the month of yesterday, yesterday, and its hour from 13:00."""
    yesterday = days_ago(1, hour=0)
    month = month_of(yesterday.date())
    return {
        "month": (f"month={month.start:%Y-%m}", (month.start_at, month.end_at)),
        "day": (f"day={yesterday:%Y-%m-%d}", (yesterday, yesterday + timedelta(days=1))),
        "hour": (
            f"day={yesterday:%Y-%m-%d}&hour=13",
            (yesterday + timedelta(hours=13), yesterday + timedelta(hours=14)),
        ),
    }


def shown_bars(page: str, chart: str) -> dict[str, dict[str, str]]:
    """Part → label of the bar → its exact number, of the table under a chart; bars of nothing and the total are left out."""
    section = page.split(f'id="chart-{chart}"', maxsplit=1)[1].split("</figure>", maxsplit=1)[0]
    names = [html.unescape(name) for name in re.findall(r'<th scope="col" class="number">([^<]*)</th>', section)]
    shown: dict[str, dict[str, str]] = {name: {} for name in names if name != "Total"}
    for head, cells in re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', section, re.DOTALL):
        slot = re.sub(r"<[^>]*>", "", head).strip()
        values = re.findall(r'<td class="number">([^<]*)</td>', cells)
        for name, value in zip(names, values, strict=True):
            if name in shown and value.removesuffix(" s").removesuffix(" B") != "0":
                shown[name][slot] = value
    return shown


@pytest.mark.parametrize("group", PARTS)
@pytest.mark.parametrize("step", STEPS)
def test_activity(generated: World, client_of: SignIn, group: str, step: str) -> None:
    query, span = spans()[step]
    page = page_of(client_of(generated.alice), f"{TAB}/activity/?{query}&group={group}&tokens=group")
    drawn = figures(page)
    expected = {chart: raw_sums(PARTS[group], quantity, span, STEPS[step]) for chart, quantity in CHARTS.items()}
    assert set(drawn) == {chart for chart, parts in expected.items() if parts}
    for chart in drawn:
        unit = UNITS.get(chart, "")
        assert shown_bars(page, chart) == {
            name: {slot: f"{exact(number)}{unit}" for slot, number in slots.items() if number}
            for name, slots in expected[chart].items()
        }
        whole = sum(sum(slots.values()) for slots in expected[chart].values())
        assert f'id="chart-{chart}"' in page
        assert f'<span class="card-total" title="{exact(whole)}{unit}">' in page


@pytest.mark.parametrize("step", STEPS)
def test_top_lists(generated: World, client_of: SignIn, step: str) -> None:
    query, span = spans()[step]
    page = page_of(client_of(generated.alice), f"{TAB}/activity/?{query}")
    for title, group in (("Top users", "user"), ("Top API keys", "api_key"), ("Top organizations", "organization")):
        sums = raw_sums(PARTS[group], CHARTS["requests"], span, STEPS[step])
        assert dict(top_list(page.replace("&#x27;", "'"), title)) == {
            name: exact(sum(slots.values())) for name, slots in sums.items()
        }


@pytest.mark.parametrize("group", PARTS)
@pytest.mark.parametrize("step", STEPS)
def test_cost(generated: World, client_of: SignIn, group: str, step: str) -> None:
    query, span = spans()[step]
    page = page_of(client_of(generated.alice), f"{TAB}/cost/?{query}&group={group}").replace("&#x27;", "'")
    expected = raw_costs(PARTS[group], span)
    whole = sum(expected.values(), start=Decimal(0))
    assert f'<p class="figure-value" title="{exact_dollars(whole)}">{dollars(whole)}</p>' in page
    found = re.findall(
        r'<th scope="row">\s*<span class="swatch"[^>]*></span>\s*<a [^>]*>([^<]*)</a>.*?title="([^"]*)">([^<]*)</td>',
        page,
        re.DOTALL,
    )
    shown = {name: (exact_amount, text) for name, exact_amount, text in found if text != "Unpriced"}
    assert shown == {name: (exact_dollars(amount), dollars(amount)) for name, amount in expected.items()}


def test_unpriced_requests(generated: World, client_of: SignIn) -> None:
    query, span = spans()["month"]
    page = page_of(client_of(generated.alice), f"{TAB}/cost/?{query}")
    number = raw_sums(PARTS["model"], CHARTS["requests"], span, "1 day")["nobody-knows"]
    assert re.search(rf"{exact(sum(number.values()))} requests to <a [^>]*><strong>nobody-knows</strong>", page)
