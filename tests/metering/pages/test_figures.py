"""The figures of the charts: what Plotly is told to draw. Building one raises ValueError for a property that it has not."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import plotly.graph_objects as go
import pytest

from metering.pages.axis import Axis
from metering.pages.figures import TEMPLATE, Series, Unit, as_shown, figure_script, stacked_bars
from metering.usage.queries import Step

DAYS = tuple(date(2026, 10, 1) + timedelta(days=n) for n in range(31))
MONTH = Axis(Step.DAY, DAYS, DAYS, opens=True)
HOURS = tuple(datetime(2026, 10, 1, n, tzinfo=UTC) for n in range(24))
DAY = Axis(Step.HOUR, HOURS, HOURS, opens=True)
DOLLARS = Unit(text=lambda value: f"${value}", axis_text=lambda value: f"${value:.0f}")


def series(axis: Axis, *numbers: Decimal | int) -> list[Series]:
    return [
        Series(f"part {n}", f"series-{n}", (number,) * len(axis.slots), f"?n={n}") for n, number in enumerate(numbers)
    ]


def built(axis: Axis, items: list[Series], unit: Unit) -> go.Figure:
    """The figure, every property of which Plotly has checked."""
    return go.Figure(stacked_bars(axis, items, unit))


@pytest.mark.parametrize("axis", [MONTH, DAY], ids=["days", "hours"])
@pytest.mark.parametrize(
    "numbers",
    [(5,), (5, 7), (Decimal("0.000000000001"), Decimal("1.5")), (0, 0), (10**18, -(10**17)), ()],
    ids=["one part", "two parts", "tiny money", "nothing", "huge and corrected", "no part"],
)
def test_each_part_is_bars_and_several_have_a_total(axis: Axis, numbers: tuple[Decimal | int, ...]) -> None:
    figure = built(axis, series(axis, *numbers), DOLLARS)
    assert [trace.type for trace in figure.data] == ["scatter"] * (len(numbers) > 1) + ["bar"] * len(numbers)


def test_each_bar_has_its_height_its_text_and_its_place() -> None:
    total, first, second = built(MONTH, series(MONTH, Decimal("0.1"), Decimal("0.2")), DOLLARS).data
    assert list(first.y) == [0.1] * 31
    assert [text.split() for text in second.customdata] == [["$0.2", "66.7%"]] * 31
    assert [text.split() for text in total.customdata] == [["$0.3", "100.0%"]] * 31
    assert first.x0 == "2026-10-01 12:00:00"
    assert first.dx == 24 * 60 * 60 * 1000
    assert first.marker.color == "var(--series-0)"
    assert first.meta == {"address": "?n=0", "label": "part 0"}


def test_the_figures_of_a_tooltip_end_below_each_other() -> None:
    money = Unit(text=str, axis_text=str, hover=lambda value: f"${value:,.2f}")
    items = [Series("a", "series-1", (Decimal("1234.5"),)), Series("b", "series-2", (Decimal("0.004321"),))]
    axis = Axis(Step.DAY, DAYS[:1], DAYS[:1], opens=True)
    texts = [trace.customdata[0] for trace in built(axis, items, money).data]
    assert [text.split() for text in texts] == [["$1,234.50", "100.0%"], ["$1,234.50", "100.0%"], ["$0.00", "0.0%"]]
    assert len({len(text) for text in texts}) == 1
    assert texts[2].startswith("\u2007\u2007\u2008\u2007$0.00")


def test_a_tooltip_says_what_a_click_does_and_cuts_long_names() -> None:
    title = built(MONTH, [Series("m" * 128, "series-1", (1,) * 31, "?model=m")], DOLLARS)
    assert title.layout.xaxis.unifiedhovertitle.text.endswith("<br>Click: hours · Shift-click: only this")
    assert title.data[0].meta["label"] == "m" * 39 + "…"
    minutes = Axis(Step.MINUTE, HOURS, HOURS, opens=False)
    assert "Click" not in built(minutes, [], DOLLARS).layout.xaxis.unifiedhovertitle.text


def test_ticks_are_round_and_the_highest_stack_has_room() -> None:
    axis = built(MONTH, series(MONTH, 30, 42), DOLLARS).layout.yaxis
    assert list(axis.tickvals) == [0.0, 20.0, 40.0, 60.0]
    assert list(axis.ticktext) == ["$0", "$20", "$40", "$60"]
    assert list(axis.range) == [0.0, pytest.approx(75.6)]


def drawn(*items: Series) -> dict[str, dict[str, object]]:
    """The figure as the page carries it."""
    script = figure_script(MONTH, items, DOLLARS)
    assert script.count("</script>") == 1
    figure: dict[str, dict[str, object]] = json.loads(script.partition(">")[2].rpartition("<")[0])
    return figure


def test_what_all_figures_share_comes_from_one_template_without_a_color_of_its_own() -> None:
    template = json.dumps(drawn(Series("part", "series-1", (1,) * 31))["layout"]["template"])
    assert "#" not in template
    assert "var(--muted)" in template
    assert built(MONTH, series(MONTH, 1), DOLLARS).layout.template.layout.hovermode == "x unified"
    assert TEMPLATE == "usage_dashboard"


def test_a_name_cannot_leave_its_script_element() -> None:
    name = "</script><script>alert(1)</script>"
    figure = drawn(Series(name, "series-0", (1,) * 31))
    assert "alert(1)" in json.dumps(figure)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("R&D <prod>", "R&amp;D &lt;prod&gt;"),
        ("a<br>b", "a&lt;br&gt;b"),
        ("%{y} share", "&#37;{y} share"),
        ("50% of “all”", "50% of “all”"),
    ],
)
def test_names_are_written_so_that_plotly_shows_them_as_they_are(name: str, shown: str) -> None:
    assert as_shown(name) == shown
