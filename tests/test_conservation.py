"""Nothing is lost or counted twice on the way: events = rollups = pages = exports, through HTTP from end to end."""

import csv
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum
from django.http import StreamingHttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import Organization, Project, User
from accounts.projects.projects import make_project
from apikeys.models import APIKey
from billing.models import DailyCost
from metering.measures import MEASURES, UsageType
from metering.models import DailyUsage, HourlyUsage, OrganizationDailyUsage, UsageEvent
from tests.engine import days_ago, make_event, make_key, make_token, num_events, roll_up, send
from tests.metering.pages.test_activity_page import bars, figures, page_of
from tests.usage.attributions import declare
from tests.world import World, join

SignIn = Callable[[User], Client]
USAGE = "/settings/organization/acme/usage"
NUM_EVENTS = 400
KINDS: list[dict[str, Any]] = [
    {"model": "gpt-4o", "input_tokens": 900, "input_cached_tokens": 300, "output_tokens": 70},
    {
        "model": "claude-sonnet-4-5",
        "input_tokens": 250_000,
        "input_cache_write_tokens": 4_000,
        "output_tokens": 5,
        "input_cache_write_long_tokens": 1_000,
        "output_reasoning_tokens": 2,
    },
    {"model": "nobody-knows", "input_tokens": 11, "output_tokens": 3},
    {"model": "text-embedding-3-small", "usage_type": "embeddings", "input_tokens": 123, "output_tokens": None},
    {
        "model": "whisper-1",
        "usage_type": "audio_transcriptions",
        "seconds": 61,
        "input_tokens": None,
        "output_tokens": None,
    },
    {
        "usage_type": "code_interpreter_sessions",
        "num_sessions": 2,
        "model": None,
        "input_tokens": None,
        "output_tokens": None,
    },
]

Sums = Counter[tuple[str, str]]


@pytest.fixture
def sent(world: World, settings: Settings) -> Sums:
    """Usage of Acme and its child, of old and new keys, with named organizations, retries, a conflict and corrections, for
    projects and values of attributes, of which some are not declared and some too many; what was accepted, per month and
    measure. Charlie's usage elsewhere must appear nowhere."""
    settings.ATTRIBUTE_VALUES_PER_MONTH = 2
    declare_all(world)
    join(world.rita, world.labs, role="reader")
    join(world.bob, world.labs, role="admin")
    old = make_key(world.bob, "Old", created_at=datetime(2023, 6, 1, tzinfo=UTC))
    keys = [make_key(world.rita, "Ritas"), make_key(world.bob, "Bobs"), old]
    order, token = random.Random(42), make_token()
    events = [one_event(number, order, keys, world) for number in range(NUM_EVENTS)]
    foreign = [make_event(id=f"foreign-{n}", api_key_id=make_key(world.charlie).public_id) for n in range(3)]
    for start in range(0, NUM_EVENTS, 100):
        batch = events[start : start + 100]
        assert send([*batch, *foreign], token)[:100] == ["accepted"] * 100
        assert set(send(batch[:30], token)) == {"duplicate"}
        roll_up()
    corrections = [reversal(event) for event in events[::20]]
    assert set(send([*corrections, {**events[0], "num_model_requests": 99}], token)) == {"accepted", "conflict"}
    roll_up()
    return summed([*events, *corrections])


def declare_all(world: World) -> None:
    """Attributes of Acme and its child, of which one is of both, and two projects of each."""
    for organization, names in ((world.acme, ("team",)), (world.labs, ("team", "stage"))):
        for name in names:
            declare(organization, name, name.title())
        for project in ("A", "B"):
            make_project(organization=organization, name=project)


def purpose(order: random.Random, organization: Organization) -> dict[str, Any]:
    """What an event may be for; `mood` is declared nowhere."""
    projects = [None, *Project.objects.filter(organization=organization, is_default=False).order_by("id")]
    project = order.choice(projects)
    values = {
        "team": order.choice([None, *(f"team {number}" for number in range(9))]),
        "stage": order.choice([None, "live", "test"]),
        "mood": order.choice([None, "good"]),
    }
    return {"project": project.public_id if project else None, "attributes": order.choice([None, values])}


def one_event(number: int, order: random.Random, keys: list[APIKey], world: World) -> dict[str, Any]:
    """The number-th event: any key, kind and hour of the last weeks; some name the child organization."""
    named = {"organization": world.labs.public_id} if order.random() < 0.3 else {}
    at = days_ago(order.randint(1, 55), hour=order.choice([0, 12, 23.99999]))
    requests = order.randint(1, 5)
    named |= purpose(order, world.labs if named else world.acme)
    fields = {**order.choice(KINDS), **named, "num_model_requests": requests, "timestamp": at}
    return make_event(id=f"event-{number}", api_key_id=order.choice(keys).public_id, **fields)


def reversal(event: dict[str, Any]) -> dict[str, Any]:
    signed: dict[str, Any] = {measure: -event[measure] for measure in MEASURES if measure in event}
    return {**event, **signed, "id": f"fix-{event['id']}", "corrects": event["id"]}


def summed(events: list[dict[str, Any]]) -> Sums:
    sums: Sums = Counter()
    for event in events:
        for measure in MEASURES:
            sums[f"{event['timestamp']:%Y-%m}", measure] += event.get(measure, 0)
    return sums


def totals(sums: Sums) -> dict[str, int]:
    return {measure: sum(value for (_, name), value in sums.items() if name == measure) for measure in MEASURES}


def stored(rows: type[UsageEvent | HourlyUsage | DailyUsage | OrganizationDailyUsage], world: World) -> dict[str, int]:
    ours = rows.objects.filter(organization_id__in=[world.acme.id, world.labs.id])
    return {name: int(value or 0) for name, value in ours.aggregate(**{name: Sum(name) for name in MEASURES}).items()}


def months(sums: Sums) -> list[str]:
    return sorted({month for month, _ in sums})


def rows_of(client: Client, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 200
    assert isinstance(answer, StreamingHttpResponse)
    return list(csv.DictReader(io.StringIO(b"".join(answer).decode(), newline="")))


def test_every_layer_holds_what_was_accepted(world: World, sent: Sums) -> None:
    assert num_events() == NUM_EVENTS + NUM_EVENTS // 20 + 3
    for rows in (UsageEvent, HourlyUsage, DailyUsage, OrganizationDailyUsage):
        assert stored(rows, world) == totals(sent)


def test_the_activity_page_and_its_export_hold_what_was_accepted(world: World, sent: Sums, client_of: SignIn) -> None:
    client = client_of(world.alice)
    for month in months(sent):
        for group in ("model", "user", "api_key", "organization"):
            drawn = figures(page_of(client, f"{USAGE}/activity/?month={month}&group={group}"))
            assert sum(bars(drawn["requests"]).values()) == sent[month, "num_model_requests"]
            assert bars(drawn["tokens"])["Context"] == sent[month, "input_tokens"] - sent[month, "input_cached_tokens"]
            assert bars(drawn["tokens"])["Cached"] == sent[month, "input_cached_tokens"]
            assert bars(drawn["tokens"])["Generated"] == sent[month, "output_tokens"]
        columns = {
            "num_requests": "num_model_requests",
            "n_context_tokens_total": "input_tokens",
            "n_cached_context_tokens_total": "input_cached_tokens",
            "n_cache_write_context_tokens_total": "input_cache_write_tokens",
            "n_generated_tokens_total": "output_tokens",
            "n_cache_write_long_context_tokens_total": "input_cache_write_long_tokens",
            "n_reasoning_generated_tokens_total": "output_reasoning_tokens",
            "num_seconds": "seconds",
            "num_sessions": "num_sessions",
        }
        rows = rows_of(client, f"{USAGE}/activity/export.csv?month={month}")
        for column, measure in columns.items():
            assert sum(int(row[column]) for row in rows) == sent[month, measure], (month, column)


def exact_spend(page: str) -> Decimal:
    shown = re.search(r'class="figure-value" title="\$([0-9.,]+)"', page)
    assert shown is not None
    return Decimal(shown[1].replace(",", ""))


def test_what_usage_was_for_adds_up_on_pages_filters_and_exports(world: World, sent: Sums, client_of: SignIn) -> None:
    client = client_of(world.alice)
    month = months(sent)[-2]
    whole = sent[month, "num_model_requests"]
    rows, costs = (rows_of(client, f"{USAGE}/{view}/export.csv?month={month}") for view in ("activity", "cost"))
    spend = exact_spend(page_of(client, f"{USAGE}/cost/?month={month}"))
    for name in ("team", "stage"):
        drawn = bars(figures(page_of(client, f"{USAGE}/activity/?month={month}&group_by=attribute:{name}"))["requests"])
        assert sum(drawn.values()) == whole
        found: Counter[str] = Counter()
        for row in rows:
            found[json.loads(row["attributes"]).get(name, f"No {name}")] += int(row["num_requests"])
        assert found == drawn
        parts = {f"{name}:" if text == f"No {name}" else f"{name}:{text}" for text in found if text != "Other values"}
        parts |= {f"{name}*"} if "Other values" in found else set()
        amounts = [exact_spend(page_of(client, f"{USAGE}/cost/?month={month}&attribute={part}")) for part in parts]
        assert sum(amounts) == spend
        for part in parts:
            exported = rows_of(client, f"{USAGE}/activity/export.csv?month={month}&attribute={part}")
            assert sum(int(row["num_requests"]) for row in exported) > 0
    assert "Other values" in {json.loads(row["attributes"]).get("team") for row in rows}
    assert {name for row in rows for name in json.loads(row["attributes"])} == {"team", "stage"}
    drawn = bars(figures(page_of(client, f"{USAGE}/activity/?month={month}&group_by=provider"))["requests"])
    assert drawn == {"No provider": whole}
    projects = {row["project_id"] for row in costs}
    assert len(projects) == 6
    amounts = [exact_spend(page_of(client, f"{USAGE}/cost/?month={month}&project={found}")) for found in projects]
    assert sum(amounts) == spend == sum(Decimal(row["cost_in_major"] or 0) for row in costs)
    for project, amount in zip(projects, amounts, strict=True):
        assert sum(Decimal(row["cost_in_major"] or 0) for row in costs if row["project_id"] == project) == amount
        exported = rows_of(client, f"{USAGE}/activity/export.csv?month={month}&project={project}")
        assert sum(Decimal(row["cost_in_major"] or 0) for row in exported) == amount


def test_costs_are_one_amount_on_the_page_and_in_both_exports(world: World, sent: Sums, client_of: SignIn) -> None:
    client = client_of(world.alice)
    for month in months(sent):
        ours = DailyCost.objects.filter(
            organization_id__in=[world.acme.id, world.labs.id],
            day__year=int(month[:4]),
            day__month=int(month[5:]),
        )
        amount = ours.aggregate(total=Sum("amount"))["total"]
        assert amount > 0
        assert exact_spend(page_of(client, f"{USAGE}/cost/?month={month}")) == amount
        for view in ("activity", "cost"):
            rows = rows_of(client, f"{USAGE}/{view}/export.csv?month={month}")
            assert sum(Decimal(row["cost_in_major"] or 0) for row in rows) == amount, (month, view)


def test_usage_elsewhere_appears_nowhere(world: World, sent: Sums, client_of: SignIn) -> None:
    client = client_of(world.alice)
    for month in months(sent):
        for address in (f"{USAGE}/activity/export.csv", f"{USAGE}/cost/export.csv"):
            rows = rows_of(client, f"{address}?month={month}")
            assert {row["organization_name"] for row in rows} <= {"Acme", "Acme Labs"}
            assert "charlie@other.test" not in {row["user_email"] for row in rows}


def test_every_kind_of_usage_of_the_fixture_is_known() -> None:
    assert {kind.get("usage_type", "completions") for kind in KINDS} <= {usage_type.label for usage_type in UsageType}
