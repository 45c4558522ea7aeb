"""A page of buckets is whole ones, none twice, and no sums are made far beyond it."""

import random
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from pytest_django import Settings

from exports.admin_api.buckets import ALL, Found, buckets_of

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
MOST: Final = 20


class Sums:
    """So many results on each day; notes which days it was asked for, and how many results it made."""

    def __init__(self, sizes: list[int]) -> None:
        self.found = [Found(START + day * DAY, number) for day, size in enumerate(sizes) for number in range(size)]
        self.num_made = 0

    def find(self, start: datetime, end: datetime, most: int) -> list[Found]:
        made = [one for one in self.found if start <= one.start < end]
        self.num_made += len(made)
        return made[:most]


@pytest.fixture(autouse=True)
def small_pages(settings: Settings) -> None:
    settings.ADMIN_API_RESULTS_PER_PAGE = MOST


@pytest.mark.parametrize("seed", range(40))
def test_pages_follow_each_other_with_every_result_once(seed: int) -> None:
    chance = random.Random(seed)
    largest = chance.choice([0, 3, 15, 2 * MOST])
    sums = Sums([chance.choice([0, chance.randint(0, largest)]) for _ in range(chance.randint(1, 31))])
    end, at, seen = START + 31 * DAY, START, list[Found]()
    while at < end:
        page = buckets_of(sums.find, at, end, DAY)
        assert [start for start, _ in page.buckets] == [at + n * DAY for n in range((page.end - at) // DAY)]
        results = [Found(start, one) for start, found in page.buckets for one in found]
        assert len(results) <= MOST or sum(bool(found) for _, found in page.buckets) == 1
        seen, at = seen + results, page.end
    assert seen == sums.found


def test_a_page_makes_sums_of_hardly_more_than_it_holds() -> None:
    sums = Sums([5] * 31)
    page = buckets_of(sums.find, START, START + 31 * DAY, DAY)
    assert page.end == START + 4 * DAY
    assert sums.num_made <= 1.5 * MOST


def test_what_is_few_is_asked_for_at_once() -> None:
    asked = list[int]()
    sums = Sums([1] + [0] * 20 + [2] * 3)

    def find(start: datetime, end: datetime, most: int) -> list[Found]:
        asked.append((end - start) // DAY)
        return sums.find(start, end, most)

    assert buckets_of(find, START, START + 31 * DAY, DAY).end == START + 31 * DAY
    assert len(asked) <= 3


def test_one_bucket_that_is_larger_than_a_page_is_a_page_of_its_own() -> None:
    page = buckets_of(Sums([0, MOST + 5, 1]).find, START, START + 3 * DAY, DAY)
    assert page.end == START + 2 * DAY
    assert [len(found) for _, found in page.buckets] == [0, MOST + 5]
    assert ALL > MOST
