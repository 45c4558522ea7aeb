"""The table of numbers has a row for each bar, which leads on, and holds nothing but text."""

from datetime import UTC, date, datetime

from metering.pages.addresses import Address
from metering.pages.axis import Axis
from metering.pages.charts import Chart, chart_of
from metering.pages.figures import Series, Unit
from metering.usage.queries import Step
from tests.metering.pages.chart_rows import rows_of

DAYS = (date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3))
PAGE = Address("/usage/", (("month", "2026-10"), ("model", 'a"<b>&c')))
PLAIN = Unit(text=str, axis_text=str)


def chart(axis: Axis, *series: Series, unit: Unit = PLAIN) -> Chart:
    return chart_of(axis, series, unit, PAGE, id="cost", title="Cost", total="", exact_total="")


def test_each_bar_that_has_begun_has_its_values_and_their_total_and_leads_to_its_hours() -> None:
    axis = Axis(Step.DAY, DAYS, DAYS[:2], opens=True)
    found = chart(axis, Series("a", "series-1", (1, 2)), Series("b", "series-2", (10, 20))).numbers
    assert found.columns == ("a", "b", "Total")
    address = "/usage/?month=2026-10&model=a%22%3Cb%3E%26c&day=2026-10-0"
    assert rows_of(found) == [("Oct 1", f"{address}1", ["1", "10", "11"]), ("Oct 2", f"{address}2", ["2", "20", "22"])]
    assert "&day" not in found.rows.replace("&amp;day", "")


def test_minutes_lead_nowhere_and_one_series_has_no_total() -> None:
    minutes = tuple(datetime(2026, 10, 1, 13, n, tzinfo=UTC) for n in range(2))
    found = chart(Axis(Step.MINUTE, minutes, minutes, opens=False), Series("a", "series-1", (1, 2))).numbers
    assert rows_of(found) == [("13:00", "", ["1"]), ("13:01", "", ["2"])]


def test_hours_lead_to_minutes_while_these_are_kept() -> None:
    hours = tuple(datetime(2026, 10, 1, n, tzinfo=UTC) for n in range(2))
    for opens in (True, False):
        rows = rows_of(chart(Axis(Step.HOUR, hours, hours, opens=opens), Series("a", "series-1", (1, 2))).numbers)
        assert [address.endswith(f"&hour={n}") for n, (_, address, _) in enumerate(rows)] == [opens, opens]


def test_values_are_text() -> None:
    axis = Axis(Step.DAY, DAYS, DAYS[:1], opens=True)
    found = chart(axis, Series("a", "series-1", (1,)), unit=Unit(text="<b>{}&".format, axis_text=str)).numbers
    assert "<b>" not in found.rows
    assert rows_of(found)[0][2] == ["<b>1&"]


def test_without_any_part_there_are_bars_without_values() -> None:
    assert rows_of(chart(Axis(Step.DAY, DAYS, DAYS[:1], opens=True)).numbers)[0][2] == []
