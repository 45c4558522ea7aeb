"""A part whose corrections bring it down to nothing still has its bars: it is in the chart, the table and the list of names."""

from datetime import UTC, date, datetime

import pytest
from django.http import QueryDict

from accounts.access import open_as_member
from accounts.models import Membership
from billing.cost.report import CostReport, cost_report
from billing.models import LineItem
from metering.measures import UsageType
from metering.pages.activity_report import activity_report
from metering.pages.addresses import Address
from metering.pages.charts import Chart
from metering.pages.filter_form import read_filter_form
from metering.pages.parts import Asked
from metering.usage.groupings import View
from tests.metering.pages.chart_rows import rows_of
from tests.usage.rollup_rows import add_cost, add_hour, add_usage, make_key, sku_of
from tests.world import World, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
SIXTH, SEVENTH = date(2026, 11, 6), date(2026, 11, 7)
GROUPS = {"model": "painter", "user": "rita@acme.test", "api_key": "gallery"}


@pytest.fixture
def images(world: World) -> World:
    """Rita's key made five images on the 6th, and on the 7th all five were corrected."""
    sku, key = sku_of("painter", UsageType.IMAGES), make_key(world.rita, "gallery")
    for day, number in ((SIXTH, 5), (SEVENTH, -5)):
        add_usage(world.acme, day, world.rita, key, sku, images=number, num_model_requests=number)
        add_cost((world.acme, day, sku), LineItem.IMAGE, number, "0.04")
    for hour, number in ((5, 3), (6, 4), (7, -2)):
        add_hour(world.acme, datetime(2026, 11, 6, hour, tzinfo=UTC), world.rita, key, sku, images=number)
    return world


def chart_of(world: World, text: str, title: str = "Images") -> Chart:
    access = open_as_member(world.alice, "acme")
    form = read_filter_form(QueryDict(text), access=access, today=NOW.date(), view=View.ACTIVITY)
    report = activity_report(Asked(access, form, Address("/", form.parameters), NOW))
    [chart] = [chart for chart in report.charts if chart.title == title]
    return chart


def cost_of(world: World, text: str) -> CostReport:
    access = open_as_member(world.alice, "acme")
    form = read_filter_form(QueryDict(text), access=access, today=NOW.date(), view=View.COST)
    return cost_report(Asked(access, form, Address("/", form.parameters), NOW))


def bars(chart: Chart | None) -> dict[str, dict[str, str]]:
    """Bar → name of the series → value, of what the table says."""
    assert chart is not None
    rows = rows_of(chart.numbers)
    return {label: dict(zip(chart.numbers.columns, values, strict=True)) for label, _, values in rows}


@pytest.mark.parametrize("group", GROUPS)
def test_a_part_with_bars_is_a_part(images: World, group: str) -> None:
    chart = chart_of(images, f"group={group}")
    assert (chart.total, [(entry.label, entry.value) for entry in chart.entries]) == (
        "0",
        [(named(images, group), "0")],
    )
    found = bars(chart)
    assert found["Nov 6"] == {named(images, group): "5"}
    assert found["Nov 7"] == {named(images, group): "−5"}
    assert chart_of(images, f"group={group}", "API requests").entries


@pytest.mark.parametrize("group", GROUPS)
def test_what_it_cost_has_bars_too(images: World, group: str) -> None:
    report = cost_of(images, f"group={group}")
    assert (report.amount, [(row.name, row.quantity, row.amount) for row in report.parts]) == (
        "$0.00",
        [(named(images, group), "0 images", "$0.00")],
    )
    found = bars(report.chart)
    assert found["Nov 6"] == {named(images, group): "$0.20"}
    assert found["Nov 7"] == {named(images, group): "−$0.20"}


@pytest.mark.parametrize("group", GROUPS)
def test_the_hours_of_a_day_do_the_same(images: World, group: str) -> None:
    sku, key = sku_of("painter", UsageType.IMAGES), make_key(images.bob, "wall")
    add_usage(images.acme, date(2026, 11, 9), images.bob, key, sku, images=0)
    for hour, number in ((5, 2), (6, -2)):
        add_hour(images.acme, datetime(2026, 11, 9, hour, tzinfo=UTC), images.bob, key, sku, images=number)
    found = bars(chart_of(images, f"group={group}&day=2026-11-09"))
    assert [list(found[hour].values()) for hour in ("05:00", "06:00", "07:00")] == [["2"], ["−2"], ["0"]]


@pytest.mark.parametrize("group", ["user", "api_key"])
def test_among_many_it_is_in_the_bars_of_the_others(images: World, group: str) -> None:
    sku = sku_of("painter", UsageType.IMAGES)
    for number in range(1, 10):
        user = make_user(
            f"painter{number}@acme.test", name=f"P{number}", role=Membership.Role.READER, organization=images.acme
        )
        add_usage(images.acme, SIXTH, user, make_key(user, f"key {number}"), sku, images=10 * number)
    found = bars(chart_of(images, f"group={group}"))
    assert (found["Nov 6"]["Other"], found["Nov 6"]["Total"]) == ("35", "455")  # 10 and 20 of the smallest, and 5
    assert (found["Nov 7"]["Other"], found["Nov 7"]["Total"]) == ("−5", "−5")


def named(world: World, group: str) -> str:
    return world.rita.name or GROUPS[group] if group == "user" else GROUPS[group]
