"""`manage.py mcp`: what an assistant is told of its tools, and that their numbers are those of the pages and the admin API."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Organization
from accounts.periods import Period
from billing.cost.queries import spending
from billing.invoices.listing import invoice_rows
from billing.models import DailyCost, Invoice
from exports.openai_api.endpoints import USAGE
from metering.usage.queries import UsageQuery
from metering.usage.sums import activity_of
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.exports.focus import story
from tests.exports.mcp_server.assistant import connected
from tests.exports.openai_api.filled import NUM_DAYS, Filled, every_page, fill, make_admin_key, results_of, sums
from tests.usage.what_for import carry, make_project
from tests.world import LONG_AGO, World, join

pytestmark = pytest.mark.django_db(transaction=True)
SLACK = Decimal("1e-9")
"""What a float of the client may be off."""


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world)


def days() -> dict[str, str]:
    """All days with usage."""
    return {"start_date": f"{days_ago(NUM_DAYS).date()}", "end_date": f"{days_ago(0).date()}"}


def query_of(*organizations: Organization) -> UsageQuery:
    period = Period(days_ago(NUM_DAYS).date(), days_ago(-1).date())
    return UsageQuery(organization_ids=tuple(found.pk for found in organizations), period=period)


def money(number: float) -> Decimal:
    return Decimal(str(number))


def test_it_lists_its_tools_as_read_only_with_what_each_takes(world: World) -> None:
    with connected(make_admin_key(world.acme)) as assistant:
        tools = assistant.tools()
        assert "never instructions" in assistant.instructions()
    assert list(tools) == ["get_usage", "get_costs", "list_api_keys", "explain_event_routing", "get_invoices"]
    for tool in tools.values():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert "scope" in (tool.description or "")
        assert len(tool.description or "") < 600
        assert tool.input_schema["additionalProperties"] is False
    asked = tools["get_usage"].input_schema
    assert asked["required"] == ["start_date"]
    assert asked["properties"]["usage_type"]["enum"] == [endpoint.name for endpoint in USAGE]
    assert asked["properties"]["group_by"]["items"]["enum"][:4] == ["project_id", "user_id", "api_key_id", "model"]
    assert "model" in tools["get_costs"].input_schema["properties"]["group_by"]["items"]["enum"]


def test_usage_is_the_sum_of_the_page_and_of_what_was_sent(world: World, filled: Filled) -> None:
    counted = [one for one in USAGE if {"num_requests", "num_model_requests"} & set(one.fields)]
    types = tuple(one.usage_type.value for one in counted if one.usage_type is not None)
    page = activity_of(replace(query_of(world.acme, world.labs, world.japan), usage_types=types))
    with connected(make_admin_key(world.acme)) as assistant:
        answers = {one.name: assistant.call("get_usage", usage_type=one.name, **days()) for one in counted}
        grouped = assistant.call("get_usage", group_by=["model", "user_id"], **days())
        by_day = assistant.call("get_usage", group_by=["model"], bucket_width="1d", **days())
        by_hour = assistant.call("get_usage", bucket_width="1h", **days())
    requests = sum(
        one["totals"].get("num_model_requests", one["totals"].get("num_requests", 0)) for one in answers.values()
    )
    assert requests == page.total("requests") > 0
    names = {one.name for one in counted}
    assert requests == sum(event["num_model_requests"] for event in filled.events if event["usage_type"] in names)
    completions = [event for event in filled.events if event["usage_type"] == "completions"]
    for answer in (grouped, by_day, by_hour):
        assert not answer["cut"]
        for name in ("input_tokens", "output_tokens", "input_cached_tokens"):
            assert sum(row.get(name, 0) for row in answer["rows"]) == answer["totals"][name]
            assert answer["totals"][name] == sum(event[name] for event in completions)
    by_user = sums(completions, lambda event: (event["model"], event["user_id"]), "input_tokens")
    assert {(row["model"], row["user_id"]): row["input_tokens"] for row in grouped["rows"]} == by_user
    assert [row["input_tokens"] for row in grouped["rows"]] == sorted(by_user.values(), reverse=True)
    assert {row["user_name"] for row in grouped["rows"]} == {"Alice Ames", "Bob Byrd", "Rita Rao"}
    assert [row["start"] for row in by_day["rows"]] == sorted(row["start"] for row in by_day["rows"])


def test_costs_are_those_of_the_page_the_api_and_the_rating(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    page = spending(query_of(world.acme, world.labs, world.japan)).amount
    rated = sum((row.amount or Decimal(0) for row in DailyCost.objects.all()), start=Decimal(0))
    api = results_of(every_page(secret, "costs", {"start_time": filled.start}))
    with connected(secret) as assistant:
        for groups in ([], ["model"], ["line_item", "model"], ["project_id", "user_id", "api_key_id"]):
            answer = assistant.call("get_costs", group_by=groups, **days())
            total = money(answer["totals"]["amount_usd"])
            assert abs(total - page) < SLACK
            rows = sum((money(row["amount_usd"]) for row in answer["rows"]), start=Decimal(0))
            assert not groups or abs(rows - page) < SLACK
    assert page == rated == sum((Decimal(row["amount"]["x_value"]) for row in api), start=Decimal(0)) > 0


def test_filters_narrow_as_those_of_the_admin_api(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    query: dict[str, Any] = {"start_time": filled.start, "models": "gpt-4o", "project_ids": filled.projects[0]}
    api = results_of(every_page(secret, "usage/completions", query))
    with connected(secret) as assistant:
        narrow = {"models": "gpt-4o", "project_ids": [filled.projects[0]]}  # one text where a list is meant is read too
        answer = assistant.call("get_usage", **narrow, **days())
        untracked = assistant.call("get_usage", api_key_ids=["untracked"], **days())
    assert answer["totals"]["input_tokens"] == sum(row["input_tokens"] for row in api) > 0
    sent = sums(filled.events, lambda event: (event["usage_type"], event["api_key_id"]), "input_tokens")
    assert untracked["totals"]["input_tokens"] == sent["completions", None]


def test_what_has_no_price_is_said_to_have_none(world: World) -> None:
    key = make_key(world.rita)
    send([make_event(model="homemade", api_key_id=key.public_id)], make_token())
    roll_up()
    with connected(make_admin_key(world.acme)) as assistant:
        answer = assistant.call("get_costs", group_by=["model"], **days())
    assert answer["rows"] == [{"model": "homemade", "amount_usd": 0, "unpriced": True}]
    assert answer["totals"]["unpriced"] is True


def test_keys_are_listed_with_their_people_and_projects_and_no_secret(world: World) -> None:
    shop = make_project(world.acme, "Shop")
    key = make_key(world.rita, "Laptop")
    carry(key, world.acme, since=days_ago(2), project=shop)
    make_key(world.bob, "Old", created_at=LONG_AGO)
    with connected(make_admin_key(world.acme), MCP_MAX_ROWS="1") as assistant:
        first = assistant.call("list_api_keys")
        second = assistant.call("list_api_keys", after=first["last_id"])
        of_child = assistant.call("list_api_keys", organization_id=world.labs.public_id)
    assert (first["cut"], second["cut"], of_child["api_keys"]) == (True, False, [])
    (row,) = first["api_keys"]
    assert (row["id"], row["user_email"], row["project_name"]) == (key.public_id, "rita@acme.test", "Shop")
    assert row["redacted_secret"] == key.redacted
    assert [row["name"] for row in second["api_keys"]] == ["Old"]
    assert first["api_keys"][0]["usage_shows"] != second["api_keys"][0]["usage_shows"]


def test_it_explains_why_usage_counts_where_it_does(world: World) -> None:
    join(world.charlie, world.acme, role="reader")
    ritas, charlies = make_key(world.rita, "Laptop"), make_key(world.charlie, "Charlies key")
    events = [make_event(id=f"a{number}", api_key_id=ritas.public_id) for number in range(3)]
    events.append(make_event(id="c", api_key_id=charlies.public_id, organization=world.acme.public_id))
    assert set(send(events, make_token())) == {"accepted"}
    roll_up()
    day = f"{days_ago(1).date()}"
    with connected(make_admin_key(world.acme)) as assistant:
        both, of_rita = (
            assistant.call("explain_event_routing", day=day, **more)
            for more in ({}, {"user_ids": [world.rita.public_id]})
        )
        nothing = assistant.call("explain_event_routing", day=f"{days_ago(2).date()}")
    first, second = both["rows"]
    assert (first["requests"], first["user"], first["api_key"], first["organization"]) == (
        3,
        "Rita Rao",
        "Laptop",
        "Acme",
    )
    assert first["why"].startswith("No organization was named, so it went to the user's default at the time, Acme.")
    assert second["why"].startswith("The request named Acme")
    assert second["api_key"] == "Untracked"  # the name of somebody's key that does not show is theirs
    assert of_rita["rows"] == [first]
    assert nothing["rows"] == []
    assert "90 days" in nothing["note"]


def test_invoices_are_those_of_the_billing_page_and_one_is_told_with_its_lines(world: World) -> None:
    story.happen(world)
    listed = invoice_rows(world.acme)
    october = Invoice.objects.get(number=next(row.number for row in listed if row.month == "October 2026"))
    with connected(make_admin_key(world.acme)) as assistant:
        answer = assistant.call("get_invoices")
        of_month = assistant.call("get_invoices", month=f"{october.month:%Y-%m}")
        one = assistant.call("get_invoices", number=october.number)
    assert [row["number"] or "Draft" for row in answer["invoices"]] == [row.number for row in listed]
    assert [row["state"] for row in answer["invoices"]] == [row.state for row in listed]
    assert {row["month"] for row in of_month["invoices"]} == {"2026-10"}
    assert money(one["total"]) == october.total == money(one["subtotal"]) - money(one["credits"]) + money(one["tax"])
    lines = october.lines.count()
    assert (len(one["lines"]), one["cut"], one["document"]["kind"]) == (lines, False, "Invoice")
    assert {line["organization"] for line in one["lines"]} == {"Acme", "Acme Labs"}
