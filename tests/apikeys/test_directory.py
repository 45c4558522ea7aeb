"""`apikeys.directory`: what is remembered under one version, and how it comes back under the next."""

from typing import Any

import pytest
from django.db import connection

from accounts import changes
from apikeys import directory, secrets
from tests.engine import make_key, make_key_and_secret
from tests.world import World

pytestmark = pytest.mark.django_db


def test_after_a_change_the_first_key_that_is_missed_brings_the_others_along(
    world: World, django_assert_max_num_queries: Any
) -> None:
    ids = [make_key(world.rita, f"Key {number}").public_id for number in range(20)]
    directory.at_version(1).learn(ids, [])
    known = directory.at_version(2)
    assert not known.keys
    with django_assert_max_num_queries(9):
        known.learn(ids[7:8], [])
        for public_id in ids:
            known.learn([public_id], [])
    assert known.keys.keys() == set(ids)


def test_what_was_not_asked_for_again_is_still_expected_two_changes_later(world: World) -> None:
    ids = [make_key(world.rita, f"Key {number}").public_id for number in range(3)]
    directory.at_version(1).learn(ids, [])
    directory.at_version(2)
    known = directory.at_version(3)
    known.learn(ids[:1], [])
    assert known.keys.keys() == set(ids)
    assert not known.expected_keys


def test_a_key_that_is_new_since_is_found(world: World) -> None:
    old = make_key(world.rita, "Old")
    directory.at_version(1).learn([old.public_id], [])
    new = make_key(world.alice, "New")
    known = directory.at_version(2)
    known.learn([new.public_id], [])
    assert known.keys.keys() == {old.public_id, new.public_id}


def test_a_change_forgets_the_people_whom_it_touches_alone(world: World, django_assert_num_queries: Any) -> None:
    (hers, secret), (his, _) = make_key_and_secret(world.rita), make_key_and_secret(world.bob)
    digest = secrets.digest(secret)
    before = directory.at_version(1)
    before.learn([hers.public_id, his.public_id], [world.acme.public_id])
    assert before.caller(digest) is not None
    assert before.identity(hers.public_id) is not None
    before.row_parts[hers.public_id] = before.row_parts[his.public_id] = (b"", b"")
    known = directory.at_version(2, since=1, changed=[world.rita.pk])
    with django_assert_num_queries(0):
        known.learn([his.public_id], [world.acme.public_id])
    assert set(known.keys) == set(known.row_parts) == {his.public_id}
    assert not known.callers
    assert not known.identities
    assert before.keys.keys() == {hers.public_id, his.public_id}


def test_what_is_read_under_an_older_version_never_gets_into_the_next(world: World) -> None:
    api_key = make_key(world.rita)
    older = directory.at_version(1)
    newer = directory.at_version(2, since=1, changed=[world.rita.pk])
    older.learn([api_key.public_id], [])
    assert not newer.keys
    assert not directory.at_version(3, since=2, changed=[world.bob.pk]).keys


def test_a_thread_that_read_an_older_version_takes_the_newer_directory(world: World) -> None:
    newer = directory.at_version(2)
    assert directory.at_version(1, since=0, changed=[]) is newer


@pytest.mark.parametrize(("since", "changed"), [(1, None), (1, [0]), (3, [])])
def test_without_knowing_who_was_changed_everybody_is_forgotten(
    world: World, since: int, changed: list[int] | None
) -> None:
    api_key = make_key(world.rita)
    directory.at_version(1).learn([api_key.public_id], [])
    known = directory.at_version(4, since=since, changed=changed)
    assert not known.keys
    assert known.expected_keys == [api_key.public_id]


def test_who_was_changed_since_a_version_is_known_for_the_latest_changes(
    world: World,
) -> None:
    def ask(since: int) -> tuple[int, list[int] | None]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {changes.version_sql(since)} FROM accounts_routingversion")
            version, changed = cursor.fetchone()
            return version, changed

    first, _ = ask(0)
    for person in (world.rita, world.bob, world.rita):
        with changes.routing_change(person):
            pass
    assert ask(first) == (first + 3, [world.rita.pk, world.bob.pk, world.rita.pk])
    assert ask(first + 2) == (first + 3, [world.rita.pk])
    assert ask(first + 3) == (first + 3, [])
    assert ask(first + 3 - changes.KEPT_VERSIONS - 1) == (first + 3, None)


def test_beyond_its_bound_a_directory_starts_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [make_key(world.rita, f"Key {number}").public_id for number in range(3)]
    monkeypatch.setattr(directory, "MAX_REMEMBERED", 3)
    directory.at_version(1).learn(ids, [])
    assert directory.at_version(1).keys.keys() == set(ids)
    monkeypatch.setattr(directory, "MAX_REMEMBERED", 2)
    assert not directory.at_version(1).keys
