"""Rows → Plotly figures: stacked bars per UTC day. Colours and fonts are left to the page, which knows its theme.

Each trace carries the name of its colour token in `meta.color`; the script reads the tokens and draws (static/js/chart.js).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import plotly.graph_objects as go
import plotly.io
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.html import json_script
from django.utils.safestring import SafeString

from metering.display import short_day

plotly.io.templates.default = None  # the page brings its own look, and the default one weighs 7 kB a figure

Number = int | Decimal
MAX_TICKS: Final = 4
DAY_MILLISECONDS: Final = 86_400_000
STEPS: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True)
class Series:
    """One colour of a chart: a value per day of the axis. Days that are still to come have none."""

    name: str
    color: str
    values: tuple[Number, ...]


@dataclass(frozen=True)
class Unit:
    """How the values of a chart are written: exactly in tooltip and table, shortly beside the axis."""

    text: Callable[[Number], str]
    axis_text: Callable[[Number], str]


def figure_script(days: Sequence[date], series: Sequence[Series], unit: Unit) -> SafeString:
    """The figure as a JSON script element, safe against whatever names are in it."""
    return json_script(stacked_bars(days, series, unit).to_plotly_json(), encoder=DjangoJSONEncoder)


def stacked_bars(days: Sequence[date], series: Sequence[Series], unit: Unit) -> go.Figure:
    """Bars stacked in the order of `series`, the first at the bottom, and an unseen trace that gives the tooltip its total."""
    totals = [sum(values, start=0) for values in zip(*(item.values for item in series), strict=True)]
    traces = [_bars(item.name, item.color, item.values, unit) for item in series]
    if len(series) > 1:
        traces.append(_bars("Total", "total", totals, unit) | {"type": "scatter"})
    ticks = _ticks(series)
    weeks = list(range(0, len(days), 7))
    layout = {
        "barmode": "relative",
        "xaxis": {
            "type": "date",
            "range": [f"{days[0].isoformat()} 00:00", f"{days[-1].isoformat()} 23:59"],
            "tickvals": [f"{days[week].isoformat()} 12:00" for week in weeks],
            "ticktext": [short_day(days[week]) for week in weeks],
        },
        "yaxis": {
            "tickvals": [float(tick) for tick in ticks],
            "ticktext": [unit.axis_text(tick) for tick in ticks],
            "range": _range(series),
        },
    }
    for trace in traces:
        trace |= {"x0": f"{days[0].isoformat()} 12:00", "dx": DAY_MILLISECONDS}
    return go.Figure(data=traces, layout=layout, _validate=False)


def _bars(name: str, color: str, values: Sequence[Number], unit: Unit) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "y": [float(value) for value in values],
        "customdata": [unit.text(value) for value in values],
        "meta": {"color": color},
    }


def _extremes(series: Sequence[Series]) -> tuple[Number, Number]:
    """The deepest and the highest end of a stack; values below zero stack downwards."""
    stacks = list(zip(*(item.values for item in series), strict=True))
    lowest = min((sum((value for value in stack if value < 0), start=0) for stack in stacks), default=0)
    highest = max((sum((value for value in stack if value > 0), start=0) for stack in stacks), default=0)
    return lowest, highest


def _range(series: Sequence[Series]) -> list[float]:
    lowest, highest = _extremes(series)
    return [float(lowest) * 1.05, float(highest) * 1.05 if lowest or highest else 1.0]


def _ticks(series: Sequence[Series]) -> list[Decimal]:
    """Round numbers from the lowest to the highest stack, at most five."""
    lowest, highest = (Decimal(end) for end in _extremes(series))
    reach = max(highest, -lowest)
    if not reach:
        return [Decimal(0)]
    size = Decimal(10) ** (reach / MAX_TICKS).adjusted()
    step = next(size * step for step in STEPS if size * step * MAX_TICKS >= reach)
    return [step * n for n in range(int(lowest / step), int(highest / step) + 1)]
