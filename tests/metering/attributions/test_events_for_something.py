"""Events that say what they are for, keys that say it for them, and what becomes of names and values that nobody declared."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from apikeys.models import APIKey
from metering.attribution_models import AttributeValue, Attribution, UndeclaredAttribute
from metering.attributions import undeclared
from metering.models import UsageEvent
from tests.engine import (
    days_ago,
    make_event,
    make_key,
    make_key_and_secret,
    make_token,
    num_events,
    post,
    roll_up,
    send,
)
from tests.usage.what_for import carry, declare, make_project, num_requests, requests_by, withdraw
from tests.world import World, join

UNTRACKED_SINCE = datetime(2023, 6, 1, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def token() -> str:
    return make_token()


@pytest.fixture
def key(world: World) -> APIKey:
    return make_key(world.rita)


def events_of(key: APIKey, *said: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        make_event(**{"id": f"event-{place}", "api_key_id": key.public_id, **one}) for place, one in enumerate(said)
    ]


# Who says what


def test_an_event_counts_for_its_project_and_its_attributes(world: World, token: str, key: APIKey) -> None:
    team, feature = declare(world.acme, "team", "feature")
    search = make_project(world.acme)
    said: list[dict[str, Any]] = [
        {"project": search.public_id, "attributes": {"team": "Red", "feature": "chat"}},
        {"project": search.public_id, "attributes": {"team": "Blue"}},
        {"attributes": {"team": "Red"}},
        {},
    ]
    assert send(events_of(key, *said), token) == ["accepted"] * 4
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 2, "Blue": 1}
    assert requests_by(feature, world.acme) == {"chat": 1}
    assert requests_by(None, world.acme) == {"Search": 2}
    assert num_requests(world.acme) == 4


def test_without_anything_said_nothing_is_stored_of_it(world: World, token: str, key: APIKey) -> None:
    declare(world.acme, "team")
    assert send(events_of(key, {}, {"attributes": {}}, {"attributes": None, "project": ""}), token) == ["accepted"] * 3
    assert set(UsageEvent.objects.values_list("attribution_id", flat=True)) == {0}
    assert not Attribution.objects.exists()


def test_what_a_key_carries_holds_from_its_moment_on_unless_an_event_says_otherwise(
    world: World, token: str, key: APIKey
) -> None:
    team, feature = declare(world.acme, "team", "feature")
    search = make_project(world.acme)
    carry(key, world.acme, since=days_ago(3), project=search, team="Red", feature="chat")
    carry(key, world.acme, since=days_ago(1), team="Blue")
    default = search.organization.projects.get(is_default=True)
    said: list[dict[str, Any]] = [
        {"timestamp": days_ago(4)},
        {"timestamp": days_ago(3)},
        {"timestamp": days_ago(2), "attributes": {"team": "Green"}},
        {"timestamp": days_ago(2), "project": default.public_id, "attributes": {"team": ""}},
        {"timestamp": days_ago(1)},
        {"timestamp": days_ago(1), "project": search.public_id},
    ]
    for _ in range(2):
        assert set(send(events_of(key, *said), token)) <= {"accepted", "duplicate"}
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 2, "Green": 1, "Blue": 2}
    assert requests_by(feature, world.acme) == {"chat": 3}
    assert requests_by(None, world.acme) == {"Search": 3}
    assert num_requests(world.acme) == 6


def test_a_key_carries_something_of_its_own_in_each_organization(world: World, token: str, key: APIKey) -> None:
    join(world.rita, world.labs, role="reader")
    (here,), (there,) = declare(world.acme, "team"), declare(world.labs, "team")
    carry(key, world.acme, since=days_ago(9), team="Red")
    carry(key, world.labs, since=days_ago(9), team="Blue")
    assert send(events_of(key, {}, {"organization": world.labs.public_id}), token) == ["accepted"] * 2
    roll_up()
    assert requests_by(here, world.acme) == {"Red": 1}
    assert requests_by(there, world.labs) == {"Blue": 1}


def test_the_next_event_after_a_choice_is_for_what_was_chosen(world: World, token: str, key: APIKey) -> None:
    (team,) = declare(world.acme, "team")
    send(events_of(key, {"id": "before"}), token)
    carry(key, world.acme, since=days_ago(2), team="Red")
    send(events_of(key, {"id": "after"}), token)
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 1}


def test_untracked_usage_keeps_what_it_is_for(world: World, token: str) -> None:
    (team,) = declare(world.acme, "team")
    untracked = make_key(world.rita, created_at=UNTRACKED_SINCE)
    assert not untracked.tracked
    send(events_of(untracked, {"attributes": {"team": "Red"}}), token)
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 1}


# What nobody declared


def test_an_undeclared_name_costs_nothing_whatever_it_holds_and_is_counted(
    world: World, token: str, key: APIKey
) -> None:
    (team,) = declare(world.acme, "team")
    things: list[Any] = [5, None, {"a": [{}]}, "x" * 100_000, True, "\x00"]
    said: list[dict[str, Any]] = [{"attributes": {"team": "Red", "Shop": thing}} for thing in things]
    assert send(events_of(key, *said), token) == ["accepted"] * len(things)
    roll_up()
    assert requests_by(team, world.acme) == {"Red": len(things)}
    assert UndeclaredAttribute.objects.values_list("name", "num_events").get() == ("Shop", len(things))


def test_undeclared_names_are_counted_each_time_also_when_they_are_known(
    world: World, token: str, key: APIKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undeclared, "INTERVAL_SECONDS", 0)
    for number in range(4):
        assert send(events_of(key, {"id": f"e-{number}", "attributes": {"shop": "a"}}), token) == ["accepted"]
    found = UndeclaredAttribute.objects.get()
    assert (found.organization_id, found.name, found.num_events) == (world.acme.pk, "shop", 4)


def test_a_map_of_thousands_of_names_is_one_event_and_few_rows(
    world: World, token: str, key: APIKey, settings: Any
) -> None:
    settings.UNDECLARED_NAMES_KEPT = 15
    (team,) = declare(world.acme, "team")
    names = {f"name {number}": number for number in range(10_000)} | {"team": "Red"}
    assert send(events_of(key, {"attributes": names}), token) == ["accepted"]
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 1}
    assert UndeclaredAttribute.objects.count() == 15


def test_names_that_nobody_can_read_are_stored_as_something_that_can_be(world: World, token: str, key: APIKey) -> None:
    assert send(events_of(key, {"attributes": {"a\x00\n": 1, "ü" * 900: 2}}), token) == ["accepted"]
    assert set(UndeclaredAttribute.objects.values_list("name", flat=True)) == {"a\ufffd\ufffd", "ü" * 64}


def test_a_name_that_is_withdrawn_is_dropped_and_declared_again_goes_on(world: World, token: str, key: APIKey) -> None:
    (team,) = declare(world.acme, "team")
    said = {"attributes": {"team": "Red"}}
    send(events_of(key, {"id": "first", **said}), token)
    withdraw(team)
    send(events_of(key, {"id": "second", **said}), token)
    assert declare(world.acme, "team") == [team]
    send(events_of(key, {"id": "third", **said}), token)
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 2}
    assert num_requests(world.acme) == 3
    assert UndeclaredAttribute.objects.get().num_events == 1


def test_what_a_key_carries_of_a_withdrawn_name_is_dropped_in_silence(world: World, token: str, key: APIKey) -> None:
    (team,) = declare(world.acme, "team")
    carry(key, world.acme, since=days_ago(2), team="Red")
    withdraw(team)
    assert send(events_of(key, {}), token) == ["accepted"]
    assert UsageEvent.objects.get().attribution_id == 0
    assert not UndeclaredAttribute.objects.exists()


# Values


@pytest.mark.parametrize("value", ["Zürich", "東京", "שלום", "👩‍👩‍👧", "a b", "x" * 64, "it's", '"quoted"', "{}", "-1"])
def test_a_value_is_any_text_of_up_to_64_characters(world: World, token: str, key: APIKey, value: str) -> None:
    (team,) = declare(world.acme, "team")
    assert send(events_of(key, {"attributes": {"team": value}}), token) == ["accepted"]
    roll_up()
    assert requests_by(team, world.acme) == {value: 1}


def test_white_space_around_a_value_does_not_matter(world: World, token: str, key: APIKey) -> None:
    (team,) = declare(world.acme, "team")
    said: list[dict[str, Any]] = [{"attributes": {"team": text}} for text in ("Red", " Red", "Red\n", "  ")]
    assert send(events_of(key, *said), token) == ["accepted"] * 4
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 3}
    assert AttributeValue.objects.count() == 1


@pytest.mark.parametrize("value", [5, 1.5, True, ["Red"], {"a": "b"}, "x" * 65, "a\x00b", "a\nb"])
def test_a_declared_attribute_without_a_good_value_costs_this_event_alone(
    world: World, token: str, key: APIKey, value: Any
) -> None:
    (team,) = declare(world.acme, "team")
    said: list[dict[str, Any]] = [
        {"attributes": {"team": "Red"}},
        {"attributes": {"team": value}},
        {"attributes": {"team": "Blue"}},
    ]
    assert send(events_of(key, *said), token) == ["accepted", "invalid_attribute", "accepted"]
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 1, "Blue": 1}


@pytest.mark.parametrize("attributes", ["Red", ["team", "Red"], 5, True])
def test_attributes_that_are_no_map_are_refused(world: World, token: str, key: APIKey, attributes: Any) -> None:
    assert send(events_of(key, {"attributes": attributes}, {}), token) == ["invalid_attribute", "accepted"]


def test_half_a_character_costs_nothing_where_it_is_not_declared(world: World, token: str, key: APIKey) -> None:
    declare(world.acme, "team")
    bodies = [json.dumps(event, default=str) for event in events_of(key, *[{"attributes": {"team": "?"}}] * 2)]
    half = [bodies[0].replace('"?"', '"\\ud83d"'), bodies[1].replace('"team": "?"', '"shop": "\\ud83d"')]
    answer = json.loads(post(f"[{','.join(half)}]".encode(), token).content)
    assert [result.get("code", result["status"]) for result in answer["results"]] == ["invalid_attribute", "accepted"]


def test_the_sentence_says_what_is_wrong(world: World, token: str, key: APIKey) -> None:
    declare(world.acme, "team")
    wrong = [{"attributes": {"team": value}} for value in (5, "x" * 65, "a\tb")]
    answer = json.loads(post(events_of(key, *wrong, {"project": "proj_x"}), token).content)
    assert [result["message"] for result in answer["results"]] == [
        "The attribute `team` must be a text.",
        "The attribute `team` has 65 characters; a value can have at most 64.",
        "The attribute `team` has control characters or line breaks.",
        "The organization that the event counts in has no such `project`.",
    ]


# Projects


def test_a_project_of_another_organization_is_unknown_and_costs_this_event_alone(
    world: World, token: str, key: APIKey
) -> None:
    theirs, ours = make_project(world.other), make_project(world.acme)
    said: list[dict[str, Any]] = [
        {"project": ours.public_id},
        {"project": theirs.public_id},
        {"project": "\x00"},
        {"project": 5},
        {},
    ]
    outcomes = ["accepted", "unknown_project", "unknown_project", "unknown_project", "accepted"]
    assert send(events_of(key, *said), token) == outcomes
    assert num_events() == 2


def test_an_archived_project_still_takes_usage(world: World, token: str, key: APIKey) -> None:
    project = make_project(world.acme)
    carry(key, world.acme, since=days_ago(5), project=project)
    project.archived_at = days_ago(2)
    project.save()
    assert send(events_of(key, {}, {"project": project.public_id}), token) == ["accepted"] * 2
    roll_up()
    assert requests_by(None, world.acme) == {"Search": 2}


def test_a_new_project_is_known_to_the_next_event(world: World, token: str, key: APIKey) -> None:
    send(events_of(key, {"id": "first", "project": "proj_x"}), token)
    project = make_project(world.acme)
    assert send(events_of(key, {"id": "second", "project": project.public_id}), token) == ["accepted"]


# Sent again, and corrected


def test_what_an_event_is_for_is_not_part_of_what_makes_a_conflict(world: World, token: str, key: APIKey) -> None:
    (team,) = declare(world.acme, "team")
    for said, outcome in (("Red", "accepted"), ("Blue", "duplicate")):
        assert send(events_of(key, {"attributes": {"team": said}}), token) == [outcome]
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 1}


def test_a_correction_counts_where_its_event_does_whatever_it_says(world: World, token: str, key: APIKey) -> None:
    (team,) = declare(world.acme, "team")
    event = {"id": "first", "num_model_requests": 5, "attributes": {"team": "Red"}}
    assert send(events_of(key, event), token) == ["accepted"]
    correction = {
        "id": "fix",
        "corrects": "first",
        "num_model_requests": -2,
        "input_tokens": 0,
        "output_tokens": 0,
        "project": "proj_x",
        "attributes": {"team": ["Blue"]},
    }
    assert send(events_of(key, correction), token) == ["accepted"]
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 3}


def test_keys_that_report_themselves_say_what_for(world: World, token: str) -> None:
    (team,) = declare(world.acme, "team")
    _, secret = make_key_and_secret(world.rita)
    events = [make_event(id=f"e-{number}", attributes={"team": "Red"}) for number in range(3)]
    assert send(events, secret) == ["accepted"] * 3
    roll_up()
    assert requests_by(team, world.acme) == {"Red": 3}
