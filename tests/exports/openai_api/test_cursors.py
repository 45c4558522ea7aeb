"""Pages of an answer: complete and without repeats, whatever comes in meanwhile; and cursors that open nothing else."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from accounts.clock import database_now
from apikeys.adminkeys.adminkeys import revoke_admin_key
from apikeys.models import AdminKey
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.exports.openai_api.filled import Filled, ask, every_page, fill, make_admin_key, results_of
from tests.world import World

ADDRESS = "usage/completions"
HOUR = 3600


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world, number=60)


def page_of(secret: str, query: dict[str, Any], address: str = ADDRESS) -> dict[str, Any]:
    answer = ask(secret, address, query)
    assert answer.status_code == 200, answer.content
    return dict(json.loads(answer.content))


def test_pages_follow_each_other_without_gap_or_repeat_while_events_come_in(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    key, token = make_key(world.rita, "Meanwhile"), make_token("meanwhile")
    query = {"start_time": filled.start, "bucket_width": "1h", "limit": 5, "group_by": ["api_key_id", "model"]}
    pages, starts = [page_of(secret, query)], []
    while pages[-1]["has_more"]:
        late = make_event(id=f"late-{len(pages)}", api_key_id=key.public_id, timestamp=days_ago(1, hour=len(pages)))
        send([late], token)
        roll_up()
        pages.append(page_of(secret, query | {"page": pages[-1]["next_page"]}))
    starts = [bucket["start_time"] for page in pages for bucket in page["data"]]
    assert starts == [filled.start + n * HOUR for n in range(len(starts))]
    assert starts[-1] + HOUR >= database_now().timestamp() > starts[-1] - HOUR


def test_pages_hold_the_same_as_one_page_would(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    query = {"start_time": filled.start, "end_time": filled.start + 3 * 86_400, "group_by": "api_key_id"}
    whole = results_of(every_page(secret, ADDRESS, query | {"limit": 3}))
    assert results_of(every_page(secret, ADDRESS, query | {"limit": 1})) == whole != []


def test_a_page_ends_early_where_it_would_hold_too_much(world: World, filled: Filled, settings: Settings) -> None:
    secret = make_admin_key(world.acme)
    query = {"start_time": filled.start, "group_by": ["user_id", "model", "service_tier", "batch"]}
    (whole,) = every_page(secret, ADDRESS, query)
    for most in (1, 2):
        settings.ADMIN_API_RESULTS_PER_PAGE = most
        pages = every_page(secret, ADDRESS, query)
        assert len(pages) > 1
        assert [bucket for page in pages for bucket in page["data"]] == whole["data"]


def test_a_cursor_opens_the_next_page_of_its_own_question_and_key_alone(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    query = {"start_time": filled.start, "limit": 1, "group_by": ["model", "batch"], "models": "gpt-4o"}
    cursor = page_of(secret, query)["next_page"]
    assert page_of(secret, query | {"page": cursor, "limit": 2, "group_by": ["batch", "model"]})["data"]
    others: list[tuple[str, str, dict[str, Any]]] = [
        (secret, ADDRESS, {"start_time": filled.start + 86_400}),
        (secret, ADDRESS, {"end_time": filled.start + 86_400 * 2}),
        (secret, ADDRESS, {"group_by": "model"}),
        (secret, ADDRESS, {"models": "gpt-4o-mini"}),
        (secret, ADDRESS, {"bucket_width": "1h"}),
        (secret, ADDRESS, {"batch": "true"}),
        (secret, ADDRESS, {"page": cursor[:-1] + ("A" if cursor[-1] != "A" else "B")}),
        (secret, ADDRESS, {"page": "page_" + cursor}),
        (secret, "usage/embeddings", {"group_by": "model"}),
        (make_admin_key(world.acme), ADDRESS, {}),
        (make_admin_key(world.other), ADDRESS, {}),
    ]
    for other, address, changed in others:
        answer = ask(other, address, query | {"page": cursor} | changed)
        assert answer.status_code == 400, (address, changed)
        assert json.loads(answer.content)["error"]["code"] == "invalid_cursor" or "batch" in changed.get("group_by", "")


def test_a_cursor_opens_nothing_after_its_key_was_revoked(world: World, filled: Filled) -> None:
    secret = make_admin_key(world.acme)
    query = {"start_time": filled.start, "limit": 1}
    cursor = page_of(secret, query)["next_page"]
    revoke_admin_key(admin_key=AdminKey.objects.get(), now=database_now())
    assert ask(secret, ADDRESS, query | {"page": cursor}).status_code == 401
