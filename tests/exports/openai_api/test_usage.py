"""`GET /v1/organization/usage/…`: what was used, by any groups, with any filters, in all spellings."""

import itertools
from typing import Any

import pytest

from accounts.clock import database_now
from accounts.models import Organization
from exports.openai_api.endpoints import USAGE, Endpoint
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.exports.openai_api.filled import NUM_DAYS, Filled, ask, every_page, fill, make_admin_key, results_of, sums
from tests.usage.export_skus import make_sku
from tests.usage.rollup_rows import add_usage
from tests.usage.what_for import make_project
from tests.world import LONG_AGO, World, join

GROUPS = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier")
ADDRESS = "usage/completions"


@pytest.fixture
def filled(world: World) -> Filled:
    return fill(world)


@pytest.fixture
def secret(world: World) -> str:
    return make_admin_key(world.acme)


def default_project(results: list[dict[str, Any]], filled: Filled) -> list[dict[str, Any]]:
    """The results with None in place of the default project, which events do not name."""
    named = {None, *filled.projects}
    return [row | {"project_id": row.get("project_id") if row.get("project_id") in named else None} for row in results]


@pytest.mark.parametrize(
    "groups", [groups for number in (0, 1, 2, 6) for groups in itertools.combinations(GROUPS, number)], ids=str
)
def test_every_group_adds_up_to_what_was_sent(filled: Filled, secret: str, groups: tuple[str, ...]) -> None:
    sent = [event for event in filled.events if event["usage_type"] == "completions"]
    for width in ("1d", "1h"):
        query = {"start_time": filled.start, "group_by[]": list(groups), "bucket_width": width}
        results = default_project(results_of(every_page(secret, ADDRESS, query)), filled)
        for name in ("input_tokens", "output_audio_tokens", "num_model_requests"):
            expected = sums(sent, lambda event: tuple(event[group] for group in groups), name)
            assert sums(results, lambda row: tuple(row[group] for group in groups), name) == expected, (width, name)


@pytest.mark.parametrize("endpoint", USAGE, ids=lambda endpoint: endpoint.name)
def test_each_address_tells_of_its_own_usage_type(filled: Filled, secret: str, endpoint: Endpoint) -> None:
    sent = [event for event in filled.events if event["usage_type"] == endpoint.name]
    (page,) = every_page(secret, f"usage/{endpoint.name}", {"start_time": filled.start})
    name = next(iter(endpoint.fields))
    measure = "num_model_requests" if name == "num_requests" else name
    results = results_of([page])
    assert {result["object"] for result in results} == {endpoint.object}
    assert sum(result[name] for result in results) == sum(event[measure] for event in sent) > 0


def test_the_parts_of_the_input_add_up_to_it(filled: Filled, secret: str) -> None:
    for row in results_of(every_page(secret, ADDRESS, {"start_time": filled.start, "group_by": "model"})):
        writes = row["input_cache_write_30m_tokens"] + row["input_cache_write_12h_tokens"]
        assert writes == row["input_cache_write_tokens"] > 0
        parts = row["input_text_tokens"] + row["input_audio_tokens"] + row["input_image_tokens"]
        assert parts == row["input_uncached_tokens"]
        assert row["input_uncached_tokens"] + row["input_cached_tokens"] + writes == row["input_tokens"]
        assert row["output_text_tokens"] + row["output_audio_tokens"] == row["output_tokens"]


@pytest.mark.parametrize(
    "spelling",
    [
        "group_by=model&group_by=batch",
        "group_by[]=model&group_by[]=batch",
        "group_by=model,batch",
        "group_by[0]=model&group_by[1]=batch",
        "group_by%5B%5D=model,batch",
    ],
)
def test_arrays_are_read_in_all_spellings(filled: Filled, secret: str, spelling: str) -> None:
    expected = ask(secret, ADDRESS, {"start_time": filled.start, "group_by": ["model", "batch"]}).json()  # type: ignore[attr-defined]
    assert ask(secret, f"{ADDRESS}?start_time={filled.start}&{spelling}").json() == expected  # type: ignore[attr-defined]
    assert len(results_of([expected])) > NUM_DAYS


def test_filters_leave_what_they_name(filled: Filled, secret: str) -> None:
    sent = [event for event in filled.events if event["usage_type"] == "completions"]
    key, user = (next(event[name] for event in sent if event["api_key_id"]) for name in ("api_key_id", "user_id"))
    filters: dict[str, tuple[str, Any]] = {
        "api_key_ids": ("api_key_id", [key]),
        "user_ids": ("user_id", [user]),
        "project_ids": ("project_id", filled.projects[:1]),
        "models": ("model", ["gpt-4o-mini"]),
    }
    for name, (field, values) in filters.items():
        results = results_of(every_page(secret, ADDRESS, {"start_time": filled.start, f"{name}[]": values}))
        expected = sum(event["input_tokens"] for event in sent if event[field] in values)
        assert sum(row["input_tokens"] for row in results) == expected > 0, name
        one = {"start_time": filled.start, name.removesuffix("s"): values[0]}
        assert results_of(every_page(secret, ADDRESS, one)) == results, name
    for batch in (True, False):
        results = results_of(every_page(secret, ADDRESS, {"start_time": filled.start, "batch": str(batch).lower()}))
        expected = sum(event["input_tokens"] for event in sent if event["batch"] is batch)
        assert sum(row["input_tokens"] for row in results) == expected > 0, batch


def test_what_a_filter_names_and_the_key_does_not_read_finds_nothing(world: World, filled: Filled, secret: str) -> None:
    theirs = make_key(world.charlie, "Theirs")
    send([make_event(id="theirs", api_key_id=theirs.public_id, model="their-model")], make_token("theirs"))
    roll_up()
    values = {
        "api_key_ids": (theirs.public_id, "key_00000000000000000"),
        "user_ids": (world.charlie.public_id, "user_00000000000000000"),
        "project_ids": (make_project(world.other, "Secret").public_id, "proj_00000000000000000"),
        "models": ("their-model", "never-existed"),
        "organization_ids": (world.other.public_id, "org_00000000000000000"),
    }
    for name, (foreign, never) in values.items():
        found = [ask(secret, ADDRESS, {"start_time": filled.start, name: value}).content for value in (foreign, never)]
        assert found[0] == found[1], name
        assert results_of([ask(secret, ADDRESS, {"start_time": filled.start, name: foreign}).json()]) == []  # type: ignore[attr-defined]


def test_buckets_without_usage_are_there_and_empty(world: World, secret: str) -> None:
    start = int(days_ago(9, hour=0).timestamp())
    page = ask(secret, ADDRESS, {"start_time": start + 5, "end_time": start + 3 * 86_400}).json()  # type: ignore[attr-defined]
    expected = [start + n * 86_400 for n in range(3)]
    assert [bucket["start_time"] for bucket in page["data"]] == expected
    assert [bucket["end_time"] for bucket in page["data"]] == [moment + 86_400 for moment in expected]
    assert all(bucket["results"] == [] for bucket in page["data"])
    assert (page["has_more"], page["next_page"]) == (False, None)


def test_minutes_are_told_from_the_events_themselves(world: World, secret: str) -> None:
    noon = days_ago(1, hour=12)
    key = make_key(world.rita)
    events = [
        make_event(id=f"m{n}", api_key_id=key.public_id, timestamp=noon.replace(minute=n, second=59), input_tokens=n)
        for n in (1, 2, 59)
    ]
    send(events, make_token())
    roll_up()
    query = {"start_time": int(noon.timestamp()), "end_time": int(noon.timestamp()) + 3600, "bucket_width": "1m"}
    (page,) = every_page(secret, ADDRESS, query | {"group_by": "api_key_id"})
    found = {n: bucket["results"] for n, bucket in enumerate(page["data"]) if bucket["results"]}
    assert {n: [row["input_tokens"] for row in rows] for n, rows in found.items()} == {1: [1], 2: [2], 59: [59]}
    assert len(page["data"]) == 60


def test_a_parent_reads_its_children_and_a_child_itself_alone(world: World) -> None:
    for organization in (world.acme, world.labs, world.japan):
        user_in(world, organization)
    start = int(days_ago(2, hour=0).timestamp())
    query = {"start_time": start, "group_by": "organization_id"}
    parent = results_of(every_page(make_admin_key(world.acme), ADDRESS, query))
    child = results_of(every_page(make_admin_key(world.labs), ADDRESS, query))
    assert {row["organization_id"] for row in parent} == {
        organization.public_id for organization in (world.acme, world.labs, world.japan)
    }
    assert {row["organization_id"] for row in child} == {world.labs.public_id}


def user_in(world: World, organization: Organization) -> None:
    """One event that is counted in the organization."""
    if organization != world.acme:
        join(world.rita, organization, role="reader")
    key = make_key(world.rita, f"for {organization}", created_at=LONG_AGO)
    event = make_event(id=f"in {organization.pk}".replace(" ", "-"), api_key_id=key.public_id)
    assert send([event | {"organization": organization.public_id}], make_token(f"token {organization}")) == ["accepted"]
    roll_up()


def test_the_answer_says_how_complete_it_is(world: World, secret: str) -> None:
    answer = ask(secret, ADDRESS, {"start_time": int(days_ago(1).timestamp())})
    assert answer["x-complete-through"] <= f"{database_now():%Y-%m-%dT%H:%M:%SZ}"
    assert answer["x-ratelimit-limit-requests"]


def test_sums_of_more_than_64_bits_are_whole_numbers_all_the_same(world: World, secret: str) -> None:
    day, key = days_ago(1).date(), make_key(world.rita)
    add_usage(world.acme, day, world.rita, key, make_sku(), input_tokens=10**20 + 1, num_model_requests=1)
    answer = ask(secret, ADDRESS, {"start_time": int(days_ago(1, hour=0).timestamp()), "group_by": "user_id"})
    (row,) = results_of([answer.json()])  # type: ignore[attr-defined]
    assert row["input_tokens"] == 10**20 + 1
    assert isinstance(row["num_model_requests"], int)
