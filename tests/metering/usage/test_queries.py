"""Which usage is meant: conditions name what the query has, and every value travels as a parameter."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from accounts.periods import month_of, one_day
from metering.usage.groupings import SERVICE_TIER, UNTRACKED
from metering.usage.queries import SkuFilter, Step, UsageQuery

ALL = UsageQuery(organization_ids=(1, 2), period=month_of(date(2026, 11, 1)))
FILTERS: dict[str, tuple[int, ...]] = {
    "user_ids": (3,),
    "api_key_ids": (4, 5),
    "model_ids": (6,),
    "usage_types": (1,),
    "service_tiers": (2,),
    "providers": (7,),
}
EACH = pytest.mark.parametrize(("name", "ids"), FILTERS.items(), ids=list(FILTERS))


def narrowed(**filters: Any) -> UsageQuery:
    return replace(ALL, **filters)


def test_without_filters_only_the_organizations_are_named() -> None:
    assert ALL.filters("usage") == "usage.organization_id = ANY(%(organization_ids)s)"
    assert not ALL.filters_skus


@EACH
def test_each_filter_is_a_condition_of_its_own(name: str, ids: tuple[int, ...]) -> None:
    query = narrowed(**{name: ids})
    assert query.filters("usage").count("ANY") == 2
    assert f"%({name})s" in query.filters("usage")
    assert query.parameters()[name] == list(ids)
    assert query.filters_skus == (name in {"model_ids", "usage_types", "service_tiers", "providers"})


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, False),
        ({"user_ids": (3,), "api_key_ids": (4,)}, False),
        ({"usage_types": (1,)}, False),
        ({"model_ids": (6,)}, True),
        ({"service_tiers": (2,)}, True),
        ({"providers": (7,)}, True),
        ({"batch": False}, True),
        ({"sku_filters": (SkuFilter(SERVICE_TIER, (2,)),)}, True),
    ],
)
def test_rows_of_usage_types_can_answer_what_asks_for_no_more(filters: dict[str, Any], expected: bool) -> None:
    assert narrowed(**filters).filters_below_usage_types is expected


def test_every_value_of_a_condition_is_a_parameter() -> None:
    query = narrowed(**FILTERS)
    names = re.findall(r"%\((\w+)\)s", query.conditions("usage"))
    assert set(names) == {"organization_ids", "start", "end", *FILTERS}
    assert set(names) <= set(query.parameters())
    assert not re.search(r"\d", query.conditions("usage"))


def test_rows_that_know_no_users_or_keys_are_not_asked_for_them() -> None:
    query = narrowed(**FILTERS)
    without = query.filters("usage", by_user=False, by_key=False)
    assert "user_ids" not in without
    assert "api_key_ids" not in without
    assert without.count("ANY") == 5


def test_a_period_is_half_open_and_an_hour_lasts_an_hour() -> None:
    assert (ALL.start_at, ALL.end_at) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    day = narrowed(period=one_day(date(2026, 11, 14)))
    last_hour = replace(day, hour=23, step=Step.MINUTE)
    assert last_hour.start_at == datetime(2026, 11, 14, 23, tzinfo=UTC)
    assert last_hour.end_at == day.end_at
    first_hour = replace(day, hour=0, step=Step.MINUTE)
    assert first_hour.start_at == day.start_at
    assert first_hour.end_at == datetime(2026, 11, 14, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, False),
        ({"api_key_ids": (UNTRACKED,)}, True),
        ({"api_key_ids": (UNTRACKED, 4)}, False),
        ({"api_key_ids": (4,)}, False),
        ({"api_key_ids": (UNTRACKED,), "user_ids": (3,)}, False),
        ({"api_key_ids": (UNTRACKED,), "model_ids": (6,)}, True),
    ],
)
def test_untracked_usage_of_all_has_rows_of_its_own(filters: dict[str, Any], expected: bool) -> None:
    assert narrowed(**filters).is_of_untracked is expected
