"""The table of groupings: whatever stands in it can be asked for, named and listed."""

import pytest

from metering.pages.palette import NUM_COLORS
from metering.usage.groupings import GROUPINGS, LINE_ITEM, ORGANIZATION, UNTRACKED, Grain, Grouping, View, groupings_of
from metering.usage.names import names_of
from metering.usage.queries import fetch

ALL = pytest.mark.parametrize("grouping", GROUPINGS.values(), ids=list(GROUPINGS))


@ALL
def test_a_grouping_is_found_by_its_word(grouping: Grouping) -> None:
    assert GROUPINGS[grouping.word] is grouping
    assert repr(grouping) == f"Grouping(word='{grouping.word}', label='{grouping.label}')"


@ALL
def test_only_what_is_of_users_keys_or_projects_has_many_parts(grouping: Grouping) -> None:
    assert grouping.has_many_parts == (grouping.word in {"user", "api_key", "project"})
    assert grouping.grain != Grain.UNTRACKED


@ALL
def test_untracked_is_a_part_of_keys_alone_and_has_a_name_there(grouping: Grouping) -> None:
    assert grouping.is_untracked(UNTRACKED) == (grouping.word == "api_key")
    assert not grouping.is_untracked(1)
    assert (names_of({}).of(grouping, UNTRACKED).name == "Untracked") == (grouping.word == "api_key")


@ALL
def test_no_part_has_a_colour_that_is_not_there(grouping: Grouping) -> None:
    assert 0 < grouping.num_colors <= NUM_COLORS


@ALL
def test_names_and_words_are_queries_that_run(db: None, grouping: Grouping) -> None:
    assert names_of({grouping: [1]}).of(grouping, 10**6).name == "#1000000"
    if grouping.has_list:
        found = fetch(f"SELECT id, words FROM ({grouping.words}) AS named", {"nothing": "None"})
        assert [row for row in found if row[0] != UNTRACKED] == []


def test_activity_knows_no_line_items() -> None:
    assert LINE_ITEM not in groupings_of(View.ACTIVITY, num_organizations=2)
    assert LINE_ITEM in groupings_of(View.COST, num_organizations=2)


@pytest.mark.parametrize("view", list(View))
def test_one_organization_is_not_told_apart(view: View) -> None:
    assert ORGANIZATION not in groupings_of(view, num_organizations=1)
    assert ORGANIZATION in groupings_of(view, num_organizations=2)
