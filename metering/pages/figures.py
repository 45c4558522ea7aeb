"""Rows → Plotly figures: stacked bars along a UTC axis. Colours and fonts are left to the page, which knows its theme.

Each trace carries the name of its colour token in `meta.color`; the script reads the tokens and draws (static/js/chart.js).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.html import json_script
from django.utils.safestring import SafeString

from metering.pages.axis import TICK_EVERY, TITLES, Axis, Slot, label

Number = int | Decimal
Figure = dict[str, Any]
"""What Plotly draws: its traces and its layout. Plotly's own class of this name copies every value twice."""
MAX_TICKS: Final = 4
STEPS: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True)
class Series:
    """One colour of a chart: a value per bar of the axis. Bars that are still to come have none.

    `address` is the page narrowed to this part, if there is one.
    """

    name: str
    color: str
    values: tuple[Number, ...]
    address: str = ""


@dataclass(frozen=True)
class Unit:
    """How the values of a chart are written: exactly in tooltip and table, shortly beside the axis.

    `base` is the size of the unit that the axis is told in when it reaches so far: ticks are round numbers of it.
    """

    text: Callable[[Number], str]
    axis_text: Callable[[Number], str]
    base: Callable[[Decimal], int] = lambda _: 1


def figure_script(axis: Axis, series: Sequence[Series], unit: Unit) -> SafeString:
    """The figure as a JSON script element, safe against whatever names are in it."""
    return json_script(stacked_bars(axis, series, unit), encoder=DjangoJSONEncoder)


def stacked_bars(axis: Axis, series: Sequence[Series], unit: Unit) -> Figure:
    """Bars stacked in the order of `series`, the first at the bottom, and an unseen trace that gives the tooltip its total."""
    totals = [sum(values, start=0) for values in zip(*(item.values for item in series), strict=True)]
    traces = [_bars(item, unit) for item in series]
    if len(series) > 1:
        traces.append(_bars(Series("Total", "total", tuple(totals)), unit) | {"type": "scatter"})
    ticks = _ticks(series, unit)
    named = axis.slots[:: TICK_EVERY[axis.step]]
    layout = {
        "barmode": "relative",
        "meta": {"title": TITLES[axis.step]},
        "xaxis": {
            "type": "date",
            "range": [_moment(axis.slots[0]), _moment(axis.slots[-1] + axis.width)],
            "tickvals": [_middle(axis, slot) for slot in named],
            "ticktext": [label(slot) for slot in named],
        },
        "yaxis": {
            "tickvals": [float(tick) for tick in ticks],
            "ticktext": [unit.axis_text(tick) for tick in ticks],
            "range": _range(series),
        },
    }
    for trace in traces:
        trace |= {"x0": _middle(axis, axis.slots[0]), "dx": int(axis.width.total_seconds() * 1000)}
    return {"data": traces, "layout": layout}


def _moment(slot: Slot) -> str:
    return f"{slot:%Y-%m-%d %H:%M:%S}"


def _middle(axis: Axis, slot: Slot) -> str:
    """The middle of a bar, where it stands on the axis."""
    start = slot if isinstance(slot, datetime) else datetime(slot.year, slot.month, slot.day)  # noqa: DTZ001 - a label
    return _moment(start + axis.width / 2)


def _bars(item: Series, unit: Unit) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": item.name,
        "y": [float(value) for value in item.values],
        "customdata": [unit.text(value) for value in item.values],
        "meta": {"color": item.color, "address": item.address},
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


def _ticks(series: Sequence[Series], unit: Unit) -> list[Decimal]:
    """Round numbers from the lowest to the highest stack, at most five."""
    lowest, highest = (Decimal(end) for end in _extremes(series))
    reach = max(highest, -lowest)
    if not reach:
        return [Decimal(0)]
    base = unit.base(reach)
    size = base * Decimal(10) ** (reach / MAX_TICKS / base).adjusted()
    step = next(size * step for step in STEPS if size * step * MAX_TICKS >= reach)
    return [step * n for n in range(int(lowest / step), int(highest / step) + 1)]
