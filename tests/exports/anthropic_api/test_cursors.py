"""Pages of an answer: complete and without repeats, whatever comes in meanwhile; and cursors that open nothing else."""

import json
from itertools import pairwise
from typing import Any

import pytest
from pytest_django import Settings

from accounts.clock import database_now
from apikeys.adminkeys.adminkeys import revoke_admin_key
from apikeys.models import AdminKey
from exports.anthropic_api import ranking
from metering.models import IngestBatch, UsageEvent
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.exports.anthropic_api.asking import ask, every_page, moment, page_of, results_of, rows_of
from tests.exports.openai_api.filled import Filled, fill, make_admin_key
from tests.world import LONG_AGO, World

USAGE, COST, REPORT = "analytics/usage", "analytics/cost", "usage_report/messages"
GROUPS = ["actor", "api_key_id", "model", "service_tier", "workspace_id"]


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world, number=60)


def whole(filled: Filled, **more: Any) -> dict[str, Any]:
    return {"starting_at": moment(filled.start), "ending_at": moment(days_ago(0, hour=0).timestamp()), **more}


def come_in(key_id: str, number: int, token: str) -> None:
    """More usage of what there was, as large as everything before, in places that pages may have passed or not; and usage of
    what there was not."""
    common = {"api_key_id": key_id, "input_tokens": 10_000 * number, "output_tokens": 10_000}
    day = 1 + number % 3
    events = [
        make_event(id=f"late-{number}", timestamp=days_ago(day, hour=number % 24), model="gpt-4o", **common),
        make_event(id=f"new-{number}", timestamp=days_ago(day, hour=3), model=f"new-{number}", **common),
    ]
    assert set(send(events, token)) == {"accepted"}
    roll_up()


@pytest.mark.parametrize("address", [USAGE, COST])
@pytest.mark.parametrize(
    "asked",
    [
        {"group_by[]": GROUPS},
        {"group_by[]": GROUPS[:4], "order": "asc"},
        {"group_by[]": ["api_key_id"], "time_bucket_width": "1h"},
        {"group_by[]": ["workspace_id"], "time_bucket_width": "1d", "order_by": "time"},
        {"group_by[]": ["model"], "time_bucket_width": "1h", "order_by": "time", "order": "asc"},
    ],
    ids=str,
)
def test_pages_are_what_the_first_one_saw_without_gap_or_repeat_while_events_come_in(
    world: World, filled: Filled, address: str, asked: dict[str, Any]
) -> None:
    secret, token = make_admin_key(world.acme), make_token("meanwhile")
    key_id = next(event["api_key_id"] for event in filled.events if event["api_key_id"])
    query = whole(filled) | asked
    expected = page_of(secret, address, query | {"limit": 1_000})
    assert not expected["has_more"]
    pages = [page_of(secret, address, query | {"limit": 2})]
    while pages[-1]["has_more"]:
        if len(pages) < 4:
            come_in(key_id, len(pages), token)
        pages.append(page_of(secret, address, query | {"limit": 7, "page": pages[-1]["next_page"]}))
    assert rows_of(pages) == expected["data"]
    assert len(pages) > 1
    assert page_of(secret, address, query | {"limit": 1_000})["data"] != expected["data"]


def test_all_pages_say_through_when_the_first_one_was_complete(
    world: World, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(days_ago(0, hour=hour) for hour in range(24))
    monkeypatch.setattr(ranking, "complete_through", lambda: next(moments))
    for first in ("00", "01"):
        pages = every_page(make_admin_key(world.acme), USAGE, whole(filled) | {"group_by[]": GROUPS, "limit": 7})
        assert len(pages) > 1
        assert {page["data_refreshed_at"][11:13] for page in pages} == {first}


def test_minutes_and_untracked_usage_are_as_the_first_page_saw_them_too(world: World, filled: Filled) -> None:
    secret, token = make_admin_key(world.acme), make_token("meanwhile")
    old = make_key(world.rita, "Also old", created_at=LONG_AGO)
    day = {"starting_at": moment(filled.start), "ending_at": moment(filled.start + 86_400), "time_bucket_width": "1m"}
    queries = (day | {"group_by[]": "model"}, whole(filled) | {"group_by[]": "model", "api_key_ids[]": ""})
    for number, query in enumerate(queries, start=2):
        expected = page_of(secret, USAGE, query | {"limit": 1_000})
        first = page_of(secret, USAGE, query | {"limit": 1})
        come_in(old.public_id, number, token)
        rest = page_of(secret, USAGE, query | {"limit": 1_000, "page": first["next_page"]})
        assert first["data"] + rest["data"] == expected["data"]
        assert page_of(secret, USAGE, query | {"limit": 1_000})["data"] != expected["data"]


def test_pages_follow_each_other_where_all_that_came_in_was_dropped_with_its_events(
    world: World, filled: Filled
) -> None:
    secret = make_admin_key(world.acme)
    query = whole(filled) | {"group_by[]": "api_key_id"}
    expected = page_of(secret, USAGE, query)
    UsageEvent.objects.all().delete()
    IngestBatch.objects.all().delete()
    first = page_of(secret, USAGE, query | {"limit": 1})
    key_id = next(event["api_key_id"] for event in filled.events if event["api_key_id"])
    come_in(key_id, 1, make_token("meanwhile"))
    rest = page_of(secret, USAGE, query | {"page": first["next_page"]})
    assert first["data"] + rest["data"] == expected["data"]


def test_buckets_of_reports_follow_each_other_while_events_come_in(world: World, filled: Filled) -> None:
    secret, token = make_admin_key(world.acme), make_token("meanwhile")
    key_id = next(event["api_key_id"] for event in filled.events if event["api_key_id"])
    query = {"starting_at": moment(filled.start), "bucket_width": "1h", "limit": 20, "group_by[]": "api_key_id"}
    pages = [page_of(secret, REPORT, query)]
    while pages[-1]["has_more"]:
        come_in(key_id, len(pages), token)
        pages.append(page_of(secret, REPORT, query | {"page": pages[-1]["next_page"]}))
    buckets = [bucket for page in pages for bucket in page["data"]]
    assert buckets[0]["starting_at"] == moment(filled.start)
    assert all(one["ending_at"] == other["starting_at"] for one, other in pairwise(buckets))
    assert buckets[-1]["ending_at"] >= moment(database_now().timestamp())


def test_a_page_of_a_report_ends_early_where_it_would_hold_too_much(
    world: World, filled: Filled, settings: Settings
) -> None:
    secret = make_admin_key(world.acme)
    query = {"starting_at": moment(filled.start), "group_by[]": ["account_id", "model", "service_tier"]}
    (everything,) = every_page(secret, REPORT, query)
    settings.ADMIN_API_RESULTS_PER_PAGE = 1
    pages = every_page(secret, REPORT, query)
    assert len(pages) > 1
    assert [bucket for page in pages for bucket in page["data"]] == everything["data"]
    assert results_of(pages)


@pytest.mark.parametrize("address", [USAGE, COST, REPORT])
def test_a_cursor_opens_the_next_page_of_its_own_question_and_key_alone(
    world: World, filled: Filled, address: str
) -> None:
    secret = make_admin_key(world.acme)
    query = {"starting_at": moment(filled.start), "limit": 1, "group_by[]": ["model", "workspace_id"]}
    if address == REPORT:
        query["models[]"] = "gpt-4o"
    cursor = page_of(secret, address, query)["next_page"]
    assert page_of(secret, address, query | {"page": cursor, "limit": 2, "group_by[]": ["workspace_id", "model"]})[
        "data"
    ]
    elsewhere = COST if address == USAGE else USAGE
    others: list[tuple[str, str, dict[str, Any]]] = [
        (secret, address, {"starting_at": moment(filled.start + 86_400)}),
        (secret, address, {"ending_at": moment(filled.start + 86_400 * 2)}),
        (secret, address, {"group_by[]": "model"}),
        (secret, address, {"workspace_ids[]": filled.projects[0]}),
        (secret, address, {"page": cursor[:-1] + ("A" if cursor[-1] != "A" else "B")}),
        (secret, address, {"page": "page_" + cursor}),
        (secret, address, {"page": "page_WzFd:forged"}),
        (secret, elsewhere, {}),
        (make_admin_key(world.acme), address, {}),
        (make_admin_key(world.other), address, {}),
        (make_admin_key(world.labs), address, {}),
    ]
    for other, where, changed in others:
        answer = ask(other, where, query | {"page": cursor} | changed)
        assert answer.status_code == 400, (where, changed)
        error = json.loads(answer.content)["error"]
        assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_cursor", "page")


def test_a_cursor_opens_nothing_after_its_key_was_revoked(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    query = {"starting_at": moment(filled.start), "limit": 1, "group_by[]": "model"}
    cursor = page_of(secret, USAGE, query)["next_page"]
    revoke_admin_key(admin_key=AdminKey.objects.get(), now=database_now())
    assert ask(secret, USAGE, query | {"page": cursor}).status_code == 401


def test_a_cursor_holds_for_so_many_hours(world: World, filled: Filled, settings: Settings) -> None:
    secret = make_admin_key(world.acme)
    query = {"starting_at": moment(filled.start), "limit": 1, "group_by[]": "model"}
    cursor = page_of(secret, USAGE, query)["next_page"]
    settings.ADMIN_API_CURSOR_HOURS = 0
    answer = ask(secret, USAGE, query | {"page": cursor})
    assert answer.status_code == 400
    assert "0 hours after the first page" in json.loads(answer.content)["error"]["message"]
