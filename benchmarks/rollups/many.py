"""Figures: events per second rolled up and rated of 1,000 and of 10,000 organizations, beside the same events in 10."""

from typing import Final

from benchmarks.load import customers
from benchmarks.load.generate import clear
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare
from benchmarks.rollups.runs import rolled_up
from metering.models import OrganizationDailyUsage

FEW: Final = 10
MANY: Final = (1_000, 10_000)
NUM_EVENTS: Final = 100_000
WANT: Final = 0.77
"""1.3 times as long. Each organization has days and costs of its own, which the few share."""


def measure(world: World, *, quick: bool) -> list[Figure]:
    """Runs of 100,000 events, in turn of few organizations and of many."""
    few = customers.make_customers(FEW)
    return [_measure(world, few, number, repeats=4 if quick else 12) for number in MANY]


def _measure(world: World, few: str, number: int, *, repeats: int) -> Figure:
    many = customers.make_customers(number)
    clear()
    values: list[float] = []
    limits: list[float] = []
    for repeat in range(repeats):
        ways = [(limits, few), (values, many)]
        for rates, which in ways[:: 1 if repeat % 2 else -1]:
            rates.append(rolled_up(customers.generate(which, world, num_events=NUM_EVENTS)))
    return compare(
        f"rollup_{number}_orgs",
        unit="events/s",
        values=values[1:],  # the first runs make the rows that the others change
        limits=limits[1:],
        want=WANT,
        notes={"events per run": NUM_EVENTS, "rows of organizations' days": OrganizationDailyUsage.objects.count()},
    )
