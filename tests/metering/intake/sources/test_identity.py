"""Ids of sources, and those of the events that they become."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.intake.checks import is_visible
from metering.intake.sources.identity import event_id, id_of_two, part_id


@pytest.mark.parametrize("source_id", ["chatcmpl-abc", "resp_68af", "x" * 64, "é"])
def test_an_id_that_can_be_seen_stays_as_it_is(source_id: str) -> None:
    assert event_id(source_id) == source_id


@pytest.mark.parametrize("source_id", ["x" * 65, "two words", "line\nline", "\x00", " a"], ids=repr)
def test_a_long_id_or_one_with_spaces_is_hashed(source_id: str) -> None:
    assert event_id(source_id) == "h-" + hashlib.sha256(source_id.encode()).hexdigest()[:62]


def test_an_empty_id_stays_empty_and_is_refused_with_its_event() -> None:
    assert event_id("") == ""


def test_two_sources_have_ids_of_their_own() -> None:
    assert id_of_two("a", "bc") == "e-" + hashlib.sha256(b"a\x00bc").hexdigest()[:62]
    assert id_of_two("ab", "c") != id_of_two("a", "bc")


def test_a_further_event_has_the_id_of_the_first_with_a_suffix() -> None:
    assert part_id("resp_1", "ws") == "resp_1-ws"
    assert part_id("x" * 62, "ws") == "h-" + hashlib.sha256(b"x" * 62 + b"-ws").hexdigest()[:62]


@given(source_id=st.text(min_size=1))
def test_every_id_can_be_stored(source_id: str) -> None:
    for found in (event_id(source_id), id_of_two(source_id, source_id), part_id(source_id, "ws")):
        assert 1 <= len(found) <= 64
        assert is_visible(found)
        assert found == event_id(found)
