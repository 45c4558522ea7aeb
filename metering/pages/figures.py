"""Breakdowns → Plotly figures: stacked bars along a UTC axis, built by the `plotly` package from one registered template.

Colours and fonts are named as CSS variables (`var(--series-1)`), because only the page knows its theme: static/js/chart.js
puts in what they are now, and changes nothing else.
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec
import plotly.graph_objects as go
import plotly.io
from django.utils.safestring import SafeString, mark_safe

from metering.display import share
from metering.pages.axis import TICK_EVERY, TITLES, Axis, label
from metering.usage.breakdown import Number
from metering.usage.queries import Slot, Step

MAX_TICKS: Final = 4
STEPS: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
TEMPLATE: Final = "usage_dashboard"
_QUIET_AXIS: Final = {"fixedrange": True, "showline": False, "zeroline": False, "ticks": ""}
_UNSEEN: Final = "rgba(0, 0, 0, 0)"
# A line of the tooltip: columns of figures, then whose they are.
_LINE: Final = "%{customdata}%{meta.label}<extra></extra>"
LONGEST_NAME: Final = 40
GAP: Final = "\u2002"
BLANKS: Final = str.maketrans({**dict.fromkeys("0123456789$%−<k", "\u2007"), ",": "\u2008", ".": "\u2008"})
"""What is as wide as a figure, a comma or a point, and blank."""
OPENS: Final = {Step.DAY: "hours", Step.HOUR: "minutes"}

plotly.io.templates[TEMPLATE] = go.layout.Template(
    layout={
        "barmode": "relative",
        "bargap": 0.26,
        "font": {"family": "var(--font)", "size": 11, "color": "var(--muted)"},
        "xaxis": {**_QUIET_AXIS, "type": "date", "showgrid": False, "showspikes": False, "ticklabelstandoff": 5},
        "yaxis": {**_QUIET_AXIS, "gridcolor": "var(--line)", "ticklabelstandoff": 4, "automargin": False},
        "margin": {"l": 46, "r": 6, "t": 8, "b": 26},
        "paper_bgcolor": _UNSEEN,
        "plot_bgcolor": _UNSEEN,
        "dragmode": False,
        "hovermode": "x unified",
        "hoverdistance": 40,
        "hoverlabel": {
            "bgcolor": "var(--surface)",
            "bordercolor": "var(--line)",
            "font": {"family": "var(--font)", "size": 12, "color": "var(--text)"},
        },
        "showlegend": False,
        "legend": {"traceorder": "reversed"},
    },
    data={
        "bar": [{"type": "bar", "hovertemplate": _LINE, "marker": {"line": {"width": 0}}}],
        # The total: nothing of it is seen but its line in the tooltip.
        "scatter": [
            {
                "type": "scatter",
                "mode": "markers",
                "hovertemplate": _LINE,
                "marker": {"opacity": 0, "color": _UNSEEN},
            }
        ],
    },
)
TEMPLATE_JSON: Final = plotly.io.templates[TEMPLATE].to_plotly_json()
TOTAL: Final = go.Scatter(name="Total", meta={"label": "Total"}).to_plotly_json()
NUM_LOOKS: Final = 64
"""Colours and axes of figures, of which a page has few."""
TEMPLATE_TEXT: Final = msgspec.Raw(msgspec.json.encode(TEMPLATE_JSON))
# None of them is JSON's own: within strings they mean the same, and no name can end the script element.
ESCAPES: Final = {"&": "\\u0026", "<": "\\u003C", ">": "\\u003E"}


@dataclass(frozen=True)
class Series:
    """One colour of a chart: a value per bar of the axis that has begun.

    `color` is the name of a CSS variable; `address` the page narrowed to this part, if there is one.
    """

    name: str
    color: str
    values: tuple[Number, ...]
    address: str = ""


@dataclass(frozen=True)
class Unit:
    """How the values of a chart are written: exactly in the table, shortly beside the axis, and in the tooltip exactly too
    unless `hover` says how.

    `base` is the size of the unit that the axis is told in when it reaches so far: ticks are round numbers of it.
    """

    text: Callable[[Number], str]
    axis_text: Callable[[Number], str]
    base: Callable[[Decimal], int] = lambda _: 1
    hover: Callable[[Number], str] | None = None


def figure_script(axis: Axis, series: Sequence[Series], unit: Unit) -> SafeString:
    """The figure as a JSON script element, safe against whatever names are in it."""
    figure = stacked_bars(axis, series, unit)
    figure["layout"]["template"] = TEMPLATE_TEXT
    text = msgspec.json.encode(figure).decode()
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return mark_safe(f'<script type="application/json">{text}</script>')  # noqa: S308 - escaped above


def stacked_bars(axis: Axis, series: Sequence[Series], unit: Unit) -> dict[str, Any]:
    """Bars stacked in the order of `series`, the first at the bottom; before them an unseen trace, the tooltip's total.

    A figure in Plotly's JSON. What figures have in common is built and checked by Plotly, once; the numbers are put in here: a
    `go.Figure` would copy the template and check every property for each chart anew. The tests check whole figures.
    """
    ticks = _ticks(series, unit)
    y_axis = {
        "tickvals": [float(tick) for tick in ticks],
        "ticktext": [unit.axis_text(tick) for tick in ticks],
        "range": _range(series),
    }
    layout = {"xaxis": _x_axis(axis, _hint(axis, series)), "yaxis": y_axis, "template": TEMPLATE_JSON}
    return {"data": _traces(axis, series, unit), "layout": layout}


@lru_cache(maxsize=NUM_LOOKS)
def _x_axis(axis: Axis, hint: str) -> dict[str, Any]:
    """The same for all charts of a page. Nobody changes it."""
    named = axis.slots[:: TICK_EVERY[axis.step]]
    found: dict[str, Any] = go.layout.XAxis(
        range=[_moment(axis.slots[0]), _moment(axis.slots[-1] + axis.width)],
        tickvals=[_middle(axis, slot) for slot in named],
        ticktext=[label(slot) for slot in named],
        unifiedhovertitle={"text": f"%{{x|{TITLES[axis.step]}}}{hint}"},
    ).to_plotly_json()
    return found


@lru_cache(maxsize=NUM_LOOKS)
def _bars(color: str) -> dict[str, Any]:
    """Bars without numbers. Nobody changes them."""
    found: dict[str, Any] = go.Bar(marker={"color": f"var(--{color})"}).to_plotly_json()
    return found


def as_shown(name: str) -> str:
    """A name as Plotly's text that reads as it is: Plotly takes tags, entities and %{…} for its own."""
    return html.escape(name, quote=False).replace("%{", "&#37;{")


def _traces(axis: Axis, series: Sequence[Series], unit: Unit) -> list[dict[str, Any]]:
    where = {"x0": _middle(axis, axis.slots[0]), "dx": int(axis.width.total_seconds() * 1000)}
    has_total = len(series) > 1
    totals = [sum(values) for values in zip(*(item.values for item in series), strict=True)]
    rows = [item.values for item in series] + ([totals] if has_total else [])
    texts = _columns(rows, totals if has_total else (), unit)
    bars = [
        {
            **_bars(item.color),
            "name": as_shown(item.name),
            "meta": {"address": item.address, "label": _cut(item.name)},
            **_numbers(item.values, own),
            **where,
        }
        for item, own in zip(series, texts, strict=False)
    ]
    return [{**TOTAL, **_numbers(totals, texts[-1]), **where}, *bars] if has_total else bars


def _numbers(values: Sequence[Number], texts: Sequence[str]) -> dict[str, Any]:
    """Where a trace's values stand, and how the tooltip tells them."""
    return {"y": [float(value) for value in values], "customdata": list(texts)}


def _columns(rows: Sequence[Sequence[Number]], totals: Sequence[Number], unit: Unit) -> list[list[str]]:
    """Each value as the tooltip writes it, right-aligned, and beside it its share of the bar where there are totals."""
    write = unit.hover or unit.text
    amounts = _aligned([[write(value) for value in row] for row in rows])
    if not totals:
        return [[as_shown(f"{text}{GAP}") for text in row] for row in amounts]
    shares = _aligned([[share(value, whole) for value, whole in zip(row, totals, strict=True)] for row in rows])
    pairs = (zip(left, right, strict=True) for left, right in zip(amounts, shares, strict=True))
    return [[as_shown(f"{text}{GAP}{part}{GAP}") for text, part in row] for row in pairs]


def _aligned(texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """The texts with blanks before them, so that they end below each other where figures are equally wide."""
    widest = max((text for row in texts for text in row), key=len, default="")
    blank = widest.translate(BLANKS)
    return [[blank[: len(widest) - len(text)] + text for text in row] for row in texts]


def _cut(name: str) -> str:
    return as_shown(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")


def _hint(axis: Axis, series: Sequence[Series]) -> str:
    """What a click does, in the second line of the tooltip's title."""
    clicks = [f"Click: {OPENS[axis.step]}"] if axis.opens and axis.step in OPENS else []
    if any(item.address for item in series):
        clicks.append("Shift-click: only this")
    return f"<br>{' · '.join(clicks)}" if clicks else ""


def _moment(slot: Slot) -> str:
    return f"{slot:%Y-%m-%d %H:%M:%S}"


def _middle(axis: Axis, slot: Slot) -> str:
    """The middle of a bar, where it stands on the axis."""
    start = slot if isinstance(slot, datetime) else datetime(slot.year, slot.month, slot.day)  # noqa: DTZ001 - a label
    return _moment(start + axis.width / 2)


def _extremes(series: Sequence[Series]) -> tuple[Number, Number]:
    """The deepest and the highest end of a stack; values below zero stack downwards."""
    stacks = list(zip(*(item.values for item in series), strict=True))
    lowest = min((sum(value for value in stack if value < 0) for stack in stacks), default=0)
    highest = max((sum(value for value in stack if value > 0) for stack in stacks), default=0)
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
