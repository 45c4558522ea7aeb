"""The vendor's own client, with another base URL and nothing else, reads every address, and refuses what is not in its schema."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, get_args

import anthropic
import pytest
from anthropic.types.beta.organization.analytics import BetaAnalyticsCostGroupBy, BetaAnalyticsUsageGroupBy
from django.db.models import Sum
from pytest_django.live_server_helper import LiveServer

from accounts.changes import routing_change
from accounts.organizations.organizations import remove_member
from billing.models import DailyCost
from exports.anthropic_api import requests
from tests.exports.anthropic_api.asking import anthropic_client
from tests.exports.anthropic_api.test_usage import total
from tests.exports.openai_api.filled import NUM_DAYS, Filled, fill, make_admin_key
from tests.world import World

CENTS: Final = 100


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world)


def bounds(filled: Filled) -> dict[str, Any]:
    start = datetime.fromtimestamp(filled.start, UTC)
    return {"starting_at": start, "ending_at": start + timedelta(days=NUM_DAYS)}


def test_it_reads_usage_by_every_group_and_follows_the_pages(world: World, filled: Filled) -> None:
    usage = anthropic_client(make_admin_key(world.acme)).beta.organization.analytics.usage
    everything = sum(map(total, filled.events))
    for group in get_args(BetaAnalyticsUsageGroupBy):
        rows = list(usage.list(**bounds(filled), group_by=[group], limit=2))
        assert sum(row.usage.total_tokens for row in rows) == everything, group
    actors = [row.group.actor for row in usage.list(**bounds(filled), group_by=["actor"])]
    assert {getattr(actor, "email_address", None) for actor in actors} == {
        "alice@acme.test",
        "bob@acme.test",
        "rita@acme.test",
    }


def test_people_have_names_for_keys_that_may_read_members_and_for_members_of_now(world: World, filled: Filled) -> None:
    def emails(secret: str) -> set[str | None]:
        rows = anthropic_client(secret).beta.organization.analytics.usage.list(**bounds(filled), group_by=["actor"])
        return {getattr(row.group.actor, "email_address", None) for row in rows}

    assert emails(make_admin_key(world.acme, "usage")) == {None}
    with routing_change(world.bob) as now:
        remove_member(organization=world.acme, user=world.bob, now=now, for_good=True)
    assert emails(make_admin_key(world.acme)) == {"alice@acme.test", "rita@acme.test", None}


def test_it_reads_costs_by_every_group(world: World, filled: Filled) -> None:
    cost = anthropic_client(make_admin_key(world.acme)).beta.organization.analytics.cost
    whole = DailyCost.objects.filter(organization_id=world.acme.pk).aggregate(total=Sum("amount"))["total"] * CENTS
    for group in get_args(BetaAnalyticsCostGroupBy):
        rows = list(cost.list(**bounds(filled), group_by=[group], limit=3))
        found = sum(Decimal(row.cost.amount) for row in rows)
        assert 0 < found <= whole if group == "token_type" else found == whole, group


@pytest.mark.parametrize("width", ["1d", "1h", "1m"])
def test_it_sends_every_parameter_that_it_has_for_what_is_known(world: World, filled: Filled, width: Any) -> None:
    client = anthropic_client(make_admin_key(world.acme)).beta.organization.analytics
    start = datetime.fromtimestamp(filled.start, UTC)
    common: dict[str, Any] = {
        "starting_at": start,
        "ending_at": start + timedelta(days=1),
        "time_bucket_width": width,
        "group_by": ["actor", "api_key_id", "model", "service_tier", "workspace_id"],
        "actor_ids": [world.rita.public_id],
        "actor_types": ["user_actor"],
        "api_key_ids": sorted({event["api_key_id"] for event in filled.events if event["api_key_id"]}),
        "context_windows": ["0-200k"],
        "exclude_deleted_users": True,
        "inference_geos": ["not_available"],
        "models": ["gpt-4o", "gpt-4o-mini"],
        "order": "asc",
        "order_by": "time",
        "organization_ids": [world.acme.public_id],
        "service_tiers": ["standard", "batch", "flex", "priority"],
        "speeds": ["standard"],
        "limit": 3,
    }
    meant = [
        event
        for event in filled.events
        if event["user_id"] == world.rita.public_id
        and event["api_key_id"]
        and start <= event["timestamp"] < start + timedelta(days=1)
    ]
    rows = list(client.usage.list(**common))
    assert sum(row.usage.total_tokens for row in rows) == sum(map(total, meant))
    assert [row.starting_at for row in rows] == sorted(row.starting_at for row in rows)
    assert sum(Decimal(row.cost.amount) for row in client.cost.list(**common)) > 0


def test_it_raises_its_own_errors(world: World, filled: Filled) -> None:
    def usage(secret: str) -> Any:
        return anthropic_client(secret).beta.organization.analytics.usage

    with pytest.raises(anthropic.AuthenticationError):
        usage("sk-admin-" + "x" * 40).list(**bounds(filled))
    with pytest.raises(anthropic.PermissionDeniedError, match="`usage`"):
        usage(make_admin_key(world.acme, "costs")).list(**bounds(filled))
    with pytest.raises(anthropic.BadRequestError, match="integer above maximum value") as refused:
        usage(make_admin_key(world.acme)).list(**bounds(filled), limit=10_000)
    assert refused.value.type == "invalid_request_error"
    assert refused.value.request_id
    with pytest.raises(anthropic.BadRequestError, match="'session_ids'"):
        usage(make_admin_key(world.acme)).list(**bounds(filled), session_ids=["sesn_1"])


def test_it_reads_the_older_reports_by_their_addresses(world: World, filled: Filled) -> None:
    client = anthropic_client(make_admin_key(world.acme))
    query = {"starting_at": datetime.fromtimestamp(filled.start, UTC).isoformat(), "limit": 31}
    messages: Any = client.get(
        "/v1/organizations/usage_report/messages", cast_to=object, options={"params": query | {"group_by": ["model"]}}
    )
    rows = [row for bucket in messages["data"] for row in bucket["results"]]
    completions = [event for event in filled.events if event["usage_type"] == "completions"]
    assert sum(row["output_tokens"] for row in rows) == sum(event["output_tokens"] for event in completions)
    costs: Any = client.get("/v1/organizations/cost_report", cast_to=object, options={"params": query})
    assert sum(Decimal(row["amount"]) for bucket in costs["data"] for row in bucket["results"]) > 0


def test_it_reads_a_server_over_the_network_with_either_header_also_asynchronously(
    live_server: LiveServer, world: World
) -> None:
    filled, secret = fill(world), make_admin_key(world.acme)
    everything = sum(map(total, filled.events))
    options: list[dict[str, Any]] = [
        {"api_key": secret},
        {"auth_token": secret},
        {"api_key": "unused", "default_headers": {"X-Api-Key": secret}},
    ]
    for option in options:
        with anthropic.Anthropic(base_url=live_server.url, max_retries=0, **option) as client:
            page = client.beta.organization.analytics.usage.list(**bounds(filled), group_by=["api_key_id"], limit=2)
            assert page.data_refreshed_at is not None
            assert sum(row.usage.total_tokens for row in page) == everything

    async def read() -> int:
        async with anthropic.AsyncAnthropic(base_url=live_server.url, api_key=secret, max_retries=0) as client:
            pages = client.beta.organization.analytics.usage.list(**bounds(filled), group_by=["model"], limit=1)
            return sum([row.usage.total_tokens async for row in pages])

    assert asyncio.run(read()) == everything


def test_the_client_and_we_know_the_same_groups() -> None:
    assert set(get_args(BetaAnalyticsUsageGroupBy)) == set(requests.GROUPS)
    assert set(get_args(BetaAnalyticsCostGroupBy)) == {*requests.GROUPS, *requests.COST.fan_out}
