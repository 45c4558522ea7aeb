"""The figures of the charts: what Plotly is told to draw, checked by Plotly's own schema."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import plotly.graph_objects as go
import pytest

from metering.pages.axis import Axis
from metering.pages.figures import Series, Unit, figure_script, stacked_bars
from metering.usage.queries import Step

DAYS = tuple(date(2026, 10, 1) + timedelta(days=n) for n in range(31))
MONTH = Axis(Step.DAY, DAYS, DAYS, opens=True)
HOURS = tuple(datetime(2026, 10, 1, n, tzinfo=UTC) for n in range(24))
DAY = Axis(Step.HOUR, HOURS, HOURS, opens=True)
DOLLARS = Unit(text=lambda value: f"${value}", axis_text=lambda value: f"${value:.0f}")


def series(axis: Axis, *numbers: Decimal | int) -> list[Series]:
    return [
        Series(f"part {n}", f"chart-{n}", (number,) * len(axis.slots), f"?n={n}") for n, number in enumerate(numbers)
    ]


@pytest.mark.parametrize("axis", [MONTH, DAY], ids=["days", "hours"])
@pytest.mark.parametrize(
    "numbers",
    [(5,), (5, 7), (Decimal("0.000000000001"), Decimal("1.5")), (0, 0), (10**18, -(10**17)), ()],
    ids=["one part", "two parts", "tiny money", "nothing", "huge and corrected", "no part"],
)
def test_plotly_takes_every_property(axis: Axis, numbers: tuple[Decimal | int, ...]) -> None:
    figure = go.Figure(
        stacked_bars(axis, series(axis, *numbers), DOLLARS)
    )  # raises ValueError for a property it has not
    assert [trace.type for trace in figure.data] == ["bar"] * len(numbers) + ["scatter"] * (len(numbers) > 1)


def test_each_bar_has_its_height_its_exact_text_and_its_place() -> None:
    first, second, total = stacked_bars(MONTH, series(MONTH, Decimal("0.1"), Decimal("0.2")), DOLLARS)["data"]
    assert first["y"] == [0.1] * 31
    assert second["customdata"] == ["$0.2"] * 31
    assert total["customdata"] == ["$0.3"] * 31
    assert first["x0"] == "2026-10-01 12:00:00"
    assert first["dx"] == 24 * 60 * 60 * 1000
    assert first["meta"] == {"color": "chart-0", "address": "?n=0"}


def test_ticks_are_round_and_the_highest_stack_has_room() -> None:
    axis = stacked_bars(MONTH, series(MONTH, 30, 42), DOLLARS)["layout"]["yaxis"]
    assert axis["tickvals"] == [0.0, 20.0, 40.0, 60.0]
    assert axis["ticktext"] == ["$0", "$20", "$40", "$60"]
    assert axis["range"] == [0.0, pytest.approx(75.6)]


def test_a_name_cannot_leave_its_script_element() -> None:
    name = "</script><script>alert(1)</script>"
    script = figure_script(MONTH, [Series(name, "chart-0", (1,) * 31)], DOLLARS)
    assert script.count("</script>") == 1
    figure = json.loads(script.partition(">")[2].rpartition("<")[0])
    assert figure["data"][0]["name"] == name
