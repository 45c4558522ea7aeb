"""Figure: events per second rolled up and rated that are for a project and have three attributes, beside the same without."""

from datetime import UTC, datetime
from functools import partial
from typing import Final

from benchmarks.load import purposes
from benchmarks.load.generate import clear, generate
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare
from benchmarks.rollups.runs import MILLION, SPAN, rolled_up

WANT: Final = 0.85


def measure(world: World, *, quick: bool) -> Figure:
    """Runs of 1,000,000 events (quick: 100,000), in turn of an organization with attributes and of one without."""
    num_events = 100_000 if quick else MILLION
    other = purposes.make_world_with_purposes("rollup-attributes")
    clear()
    make = partial(generate, num_events=num_events, start=datetime.now(UTC) - SPAN, span=SPAN)
    values: list[float] = []
    limits: list[float] = []
    for repeat in range(4 if quick else 8):
        ways = [(limits, partial(make, world)), (values, partial(make, other, with_purpose=True))]
        for rates, make_events in ways[:: 1 if repeat % 2 else -1]:
            rates.append(rolled_up(make_events()))
    return compare(
        "rollup_attributes",
        unit="events/s",
        values=values[1:],  # the first runs make the rows that the others change
        limits=limits[1:],
        want=WANT,
        notes={"events per run": num_events},
    )
