"""Months, days and hours that go on: whole days are compared with whole days, and the table has all that the total counts."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from django.http import QueryDict

from accounts.access import open_as_member
from accounts.periods import one_day
from billing.cost.report import CostReport, cost_report
from billing.models import LineItem
from metering.pages.activity_report import ActivityReport, activity_report
from metering.pages.addresses import Address
from metering.pages.axis import axis_of
from metering.pages.charts import Chart, Comparison
from metering.pages.filter_form import read_filter_form
from metering.pages.parts import Asked
from metering.usage.groupings import View
from metering.usage.queries import Step, UsageQuery
from tests.metering.pages.chart_rows import rows_of
from tests.usage.rollup_rows import add_cost, add_hour, add_usage, sku_of
from tests.world import World

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
TODAY = NOW.date()


def cost(world: World, text: str = "", now: datetime = NOW) -> CostReport:
    access = open_as_member(world.alice, "acme")
    form = read_filter_form(QueryDict(text), access=access, today=now.date(), view=View.COST)
    return cost_report(Asked(access, form, Address("/", form.parameters), now))


def activity(world: World, text: str = "", now: datetime = NOW) -> ActivityReport:
    access = open_as_member(world.alice, "acme")
    form = read_filter_form(QueryDict(text), access=access, today=now.date(), view=View.ACTIVITY)
    return activity_report(Asked(access, form, Address("/", form.parameters), now))


def use(world: World, days: Sequence[date], tokens: int) -> None:
    for day in days:
        add_usage(world.acme, day, world.rita, None, sku_of("m"), num_model_requests=tokens // 100, input_tokens=tokens)
        add_cost((world.acme, day, sku_of("m")), LineItem.INPUT, tokens, "0.01")


@pytest.fixture
def five_hours(world: World) -> None:
    """$12.26 on each of 21 days of November and $2.00 in five hours of the 22nd; $10.00 on each day of October."""
    use(world, [TODAY - timedelta(days=n) for n in range(1, 22)], 1_226)
    use(world, [TODAY], 200)
    use(world, [date(2026, 10, 1 + n) for n in range(31)], 1_000)


def test_whole_days_are_compared_with_whole_days(world: World, five_hours: None) -> None:
    assert cost(world).comparison == Comparison("+22.6%", "Oct 1–21, whole days")
    [requests, *_] = activity(world).charts
    assert requests.comparison == Comparison("+20.0%", "Oct 1–21, whole days")


def test_the_mean_is_of_the_days_that_are_over(world: World, five_hours: None) -> None:
    found = cost(world)
    assert found.amount == "$259.46"
    assert found.chart is not None
    assert found.chart.total == "$12.26 a day"


def test_on_the_first_of_a_month_there_is_nothing_to_compare_and_no_mean(world: World, five_hours: None) -> None:
    use(world, [date(2026, 12, 1)], 100)
    found = cost(world, now=datetime(2026, 12, 1, 5, tzinfo=UTC))
    assert (found.amount, found.comparison) == ("$1.00", None)
    assert found.chart is not None
    assert found.chart.total == ""


def test_a_month_that_is_over_is_compared_as_a_whole(world: World, five_hours: None) -> None:
    found = cost(world, "month=2026-11", now=datetime(2026, 12, 1, 5, tzinfo=UTC))
    assert found.comparison == Comparison("−16.3%", "Oct 1–31")
    assert found.chart is not None
    assert found.chart.total == "$8.65 a day"


def numbers(chart: Chart | None) -> list[tuple[str, str]]:
    """(bar, its last value) of the chart's table."""
    assert chart is not None
    return [(label, values[-1]) for label, _, values in rows_of(chart.numbers)]


def test_a_day_ahead_of_the_clock_is_in_the_total_and_in_the_table(world: World) -> None:
    now = datetime(2026, 11, 22, 23, 58, tzinfo=UTC)
    use(world, [TODAY], 1_000)
    use(world, [TODAY + timedelta(days=1)], 300)
    found = cost(world, now=now)
    assert found.amount == "$13.00"
    assert numbers(found.chart)[-2:] == [("Nov 22", "$10.00"), ("Nov 23", "$3.00")]
    [requests, *_] = activity(world, now=now).charts
    assert (requests.total, numbers(requests)[-2:]) == ("13", [("Nov 22", "10"), ("Nov 23", "3")])


def test_an_hour_ahead_of_the_clock_is_in_the_total_and_in_the_table(world: World) -> None:
    now = datetime(2026, 11, 22, 4, 58, tzinfo=UTC)
    add_usage(world.acme, TODAY, world.rita, None, sku_of("m"), num_model_requests=9)
    for hour, requests in ((4, 7), (5, 2)):
        add_hour(
            world.acme, now.replace(hour=hour, minute=0), world.rita, None, sku_of("m"), num_model_requests=requests
        )
    [chart, *_] = activity(world, f"day={TODAY}", now=now).charts
    assert (chart.total, numbers(chart)[-2:]) == ("9", [("04:00", "7"), ("05:00", "2")])


def test_bars_end_with_the_clock_or_the_last_usage() -> None:
    query = UsageQuery((1,), one_day(TODAY), step=Step.HOUR)
    hours = [NOW.replace(hour=hour) for hour in range(24)]
    plain = axis_of(query, NOW)
    assert (plain.begun, plain.ended) == (tuple(hours[:6]), tuple(hours[:5]))
    assert axis_of(query, NOW, [hours[7]]).begun == tuple(hours[:8])
    assert axis_of(query, NOW - timedelta(days=1)).begun == ()
    minutes = UsageQuery((1,), one_day(TODAY), step=Step.MINUTE, hour=5)
    assert axis_of(minutes, NOW, [NOW + timedelta(minutes=4)]).begun == tuple(
        NOW + timedelta(minutes=n) for n in range(5)
    )
