"""How a figure is measured: value and limit in turn, several times, and the median of each."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

from benchmarks.quiet import NOT_ASKED, Quietness

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `wanted_of` says which number `want` bounds: the ratio, or the value where no limit exists."""

    name: str
    unit: str
    value: float
    limit: float | None
    ratio: float | None
    want: float
    want_is: Literal["at least", "at most"]
    spread: dict[str, tuple[float, float]]
    """(smallest, largest) over the repeats, of value, limit and the ratio of each pair."""
    repeats: int
    notes: dict[str, Any] = field(default_factory=dict)
    load_average: tuple[float, float, float] = field(default_factory=os.getloadavg)
    quietness: Quietness = NOT_ASKED

    @property
    def is_met(self) -> bool:
        judged = self.value if self.ratio is None else self.ratio
        return judged >= self.want if self.want_is == "at least" else judged <= self.want

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_met": self.is_met, "was_quiet": self.quietness.is_quiet}


def in_turn(measures: Mapping[str, Measure], *, repeats: int) -> dict[str, list[float]]:
    """Each measure `repeats` times, one after the other, every second round in reverse, so that a drift hits all alike."""
    results: dict[str, list[float]] = {name: [] for name in measures}
    for repeat in range(repeats):
        names = list(measures) if repeat % 2 == 0 else list(measures)[::-1]
        for name in names:
            results[name].append(measures[name]())
    return results


def compare(  # noqa: PLR0913 - the fields of a figure
    name: str,
    *,
    unit: str,
    values: Sequence[float],
    limits: Sequence[float],
    want: float,
    want_is: Literal["at least", "at most"] = "at least",
    notes: dict[str, Any] | None = None,
) -> Figure:
    """The figure of values that were measured in turn with their limits: the ratio is that of the medians."""
    pairs = [value / limit for value, limit in zip(values, limits, strict=True)]
    return Figure(
        name=name,
        unit=unit,
        value=median(values),
        limit=median(limits),
        ratio=median(values) / median(limits),
        want=want,
        want_is=want_is,
        spread={
            "value": (min(values), max(values)),
            "limit": (min(limits), max(limits)),
            "ratio": (min(pairs), max(pairs)),
        },
        repeats=len(values),
        notes=notes or {},
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
