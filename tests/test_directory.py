"""`apikeys.directory`: what is remembered under one version, and how it comes back under the next."""

from typing import Any

import pytest

from apikeys import directory
from tests.engine import make_key
from tests.world import World

pytestmark = pytest.mark.django_db


def test_after_a_change_the_first_key_that_is_missed_brings_the_others_along(
    world: World, django_assert_max_num_queries: Any
) -> None:
    ids = [make_key(world.rita, f"Key {number}").public_id for number in range(20)]
    directory.at_version(1).learn(ids, [])
    known = directory.at_version(2)
    assert not known.keys
    with django_assert_max_num_queries(5):
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
