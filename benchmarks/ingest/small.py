"""Figure: events per second through HTTP in batches of 100, beside batches of 1,000."""

from functools import partial
from statistics import median
from typing import Final

from benchmarks.ingest.batches import prepare, through_http, warm_up
from benchmarks.load.events import BATCH, Template, templates
from benchmarks.load.servers import cpu_seconds, program
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare, in_turn
from usage_dashboard.machine.processes import Child

WANT: Final = 0.6
SMALL: Final = 100
NUM_TEMPLATES: Final = 40


def measure(world: World, *, quick: bool) -> Figure:
    """The figure; both ways store the same number of events, into empty tables, in turn."""
    num_events = 40_000 if quick else 300_000
    ways = {size: templates(world, NUM_TEMPLATES, batch=size) for size in (SMALL, BATCH)}
    cpu: dict[int, list[float]] = {size: [] for size in ways}
    for prebuilt in ways.values():
        prepare(prebuilt)
    with program("web") as web:
        warm_up(ways[BATCH])
        through_http(ways[SMALL], 2 * NUM_TEMPLATES, batch=SMALL)
        results = in_turn(
            {str(size): partial(_rate, web, ways[size], num_events, size, cpu[size]) for size in ways},
            repeats=3 if quick else 7,
        )
    return compare(
        "ingest_small",
        unit="events/s",
        values=results[str(SMALL)],
        limits=results[str(BATCH)],
        want=WANT,
        notes={
            "events per repeat": num_events,
            "web: µs of processor time per event": round(median(cpu[SMALL]), 2),
            "the same in batches of 1,000": round(median(cpu[BATCH]), 2),
        },
    )


def _rate(web: Child, prebuilt: list[Template], num_events: int, size: int, cpu: list[float]) -> float:
    before = cpu_seconds(web)
    rate = through_http(prebuilt, num_events // size, batch=size)
    cpu.append((cpu_seconds(web) - before) * 1e6 / num_events)
    return rate
