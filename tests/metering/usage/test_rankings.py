"""Who used most: lists in order, searched and page by page, with Untracked always among the keys."""

from datetime import date
from typing import Final

import pytest

from accounts.periods import month_of
from metering.models import Model
from metering.usage.groupings import API_KEY, MODEL, ORGANIZATION, UNTRACKED, USER, Grouping
from metering.usage.names import names_of
from metering.usage.queries import Rank, UsageQuery
from metering.usage.rankings import PAGE_ROWS, TOP_ROWS, RankingPage, TopRow, pattern, ranking_page, top_lists
from tests.usage.rollup_rows import add_usage, make_key, sku_of
from tests.world import World

DAY: Final = date(2026, 11, 14)
NUM_KEYS: Final = TOP_ROWS + 4


@pytest.fixture
def query(world: World) -> UsageQuery:
    """Alice's keys, each with one request more than the one before it and fewer tokens, and little untracked usage."""
    sku = sku_of("m")
    for number in range(NUM_KEYS):
        key = make_key(world.alice, f"key {number}")
        add_usage(world.acme, DAY, world.alice, key, sku, num_model_requests=10 + number, input_tokens=1000 - number)
    add_usage(world.acme, DAY, world.rita, None, sku, num_model_requests=1, output_tokens=1)
    return UsageQuery(organization_ids=(world.acme.pk,), period=month_of(DAY))


def of(group: Grouping, rows: tuple[TopRow, ...]) -> list[TopRow]:
    return [row for row in rows if row.group is group]


def names(page: RankingPage, group: Grouping) -> list[str]:
    known = names_of({group: [row.id for row in page.rows]})
    return [known.of(group, row.id).name for row in page.rows]


def test_each_top_list_is_in_the_order_of_its_rank(query: UsageQuery) -> None:
    by_requests, by_tokens = (of(API_KEY, top_lists(query, rank)) for rank in (Rank.REQUESTS, Rank.TOKENS))
    assert [row.value for row in by_requests[:TOP_ROWS]] == list(range(10 + NUM_KEYS - 1, 13, -1))
    assert [row.value for row in by_tokens[:TOP_ROWS]] == [1000 - number for number in range(TOP_ROWS)]


def test_untracked_is_among_the_keys_however_little_it_is(query: UsageQuery) -> None:
    keys = of(API_KEY, top_lists(query, Rank.REQUESTS))
    assert (len(keys), keys[-1].id, keys[-1].list_size) == (TOP_ROWS + 1, UNTRACKED, NUM_KEYS + 1)


def test_users_and_organizations_have_lists_of_their_own(query: UsageQuery, world: World) -> None:
    rows = top_lists(query, Rank.REQUESTS)
    total = sum(10 + number for number in range(NUM_KEYS))
    assert [(row.id, row.value) for row in of(USER, rows)] == [(world.alice.pk, total), (world.rita.pk, 1)]
    assert [(row.id, row.value) for row in of(ORGANIZATION, rows)] == [(world.acme.pk, total + 1)]


def test_a_searched_list_has_what_has_the_text_in_its_name(query: UsageQuery) -> None:
    page = ranking_page(query, API_KEY, Rank.REQUESTS, search="KEY 1", page=1)
    assert names(page, API_KEY) == ["key 11", "key 10", "key 1"]
    assert (page.num_rows, page.largest) == (3, 21)


@pytest.mark.parametrize("search", ["%", "_", "\\", "key_1", "k%1", "'"])
def test_letters_that_mean_something_in_sql_are_letters(query: UsageQuery, search: str) -> None:
    assert ranking_page(query, API_KEY, Rank.REQUESTS, search=search, page=1) == RankingPage((), 0, 0)


def test_untracked_is_found_by_its_name(query: UsageQuery) -> None:
    page = ranking_page(query, API_KEY, Rank.REQUESTS, search="untr", page=1)
    assert [row.id for row in page.rows] == [UNTRACKED]


def test_pages_follow_each_other_and_one_beyond_the_last_is_empty(world: World) -> None:
    for number in range(PAGE_ROWS + 1):
        add_usage(world.acme, DAY, world.alice, None, sku_of(f"m{number:02}"), num_model_requests=7)
    query = UsageQuery(organization_ids=(world.acme.pk,), period=month_of(DAY), group=MODEL)
    pages = [ranking_page(query, MODEL, Rank.REQUESTS, search="", page=number) for number in (1, 2, 3)]
    assert [len(page.rows) for page in pages] == [PAGE_ROWS, 1, 0]
    assert {(page.num_rows, page.largest) for page in pages} == {(PAGE_ROWS + 1, 7)}
    found = [row.id for page in pages for row in page.rows]
    assert found == sorted(Model.objects.values_list("id", flat=True))  # equals come in one order on every page


@pytest.mark.parametrize(("text", "expected"), [("50%", r"%50\%%"), ("a_b", r"%a\_b%"), ("\\", r"%\\%"), ("", "%%")])
def test_a_pattern_finds_the_text_anywhere(text: str, expected: str) -> None:
    assert pattern(text) == expected
