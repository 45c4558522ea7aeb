"""Colours of parts: a model has the same one everywhere, and two parts of a page share none while there are enough."""

from hypothesis import given
from hypothesis import strategies as st

from metering.pages.palette import NUM_COLORS, OTHER_COLOR, UNTRACKED_COLOR, color, colors_of
from metering.usage.groupings import API_KEY, MODEL, UNTRACKED, USER
from metering.usage.names import Named, Names


def names(places: dict[int, int]) -> Names:
    return Names({(MODEL, found): Named(found, f"model {found}", "", place=place) for found, place in places.items()})


def test_a_models_colour_follows_from_its_place_alone() -> None:
    known = names({7: 3, 8: 12})
    assert colors_of(MODEL, [7, 8], known)[7] == colors_of(MODEL, [7], known)[7] == color(3)


def test_where_two_would_meet_the_younger_takes_the_next_free_one() -> None:
    known = names({1: 2, 2: 2 + NUM_COLORS, 3: 3})
    assert colors_of(MODEL, [3, 2, 1], known) == {None: OTHER_COLOR, 1: color(2), 2: color(3), 3: color(4)}


@given(ids=st.sets(st.integers(min_value=1, max_value=10**6), max_size=NUM_COLORS))
def test_no_two_parts_share_a_colour_while_there_are_enough(ids: set[int]) -> None:
    found = colors_of(USER, ids, Names())
    assert len(set(found.values())) == len(found) == len(ids) + 1


@given(ids=st.sets(st.integers(min_value=1, max_value=10**6), min_size=NUM_COLORS + 1, max_size=40))
def test_every_part_has_a_colour_however_many_there_are(ids: set[int]) -> None:
    found = colors_of(USER, ids, Names())
    assert set(found) == {*ids, None}
    assert set(found.values()) <= {OTHER_COLOR, *(color(n) for n in range(NUM_COLORS))}


def test_untracked_is_grey_among_keys_alone() -> None:
    assert colors_of(API_KEY, [UNTRACKED], Names())[UNTRACKED] == UNTRACKED_COLOR
    assert colors_of(USER, [UNTRACKED], Names())[UNTRACKED] != UNTRACKED_COLOR
