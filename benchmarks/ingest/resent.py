"""Figure: events per second of batches that are stored already, beside the first time of the same batches."""

from functools import partial
from typing import Final

from benchmarks.ingest.batches import NUM_CLIENTS, empty_tables, prepare, warm_up
from benchmarks.load.client import send_batches
from benchmarks.load.events import BATCH, requests, templates
from benchmarks.load.servers import WEB_PORT, program
from benchmarks.load.together import run_together
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare
from metering.rollups import partitions

WANT: Final = 0.25


def measure(world: World, *, quick: bool) -> Figure:
    """The figure; in each repeat every client sends new batches, and after that those that its neighbour has sent."""
    num_batches = 40 if quick else 400
    prebuilt = templates(world, 40)
    prepare(prebuilt)
    partitions.ensure_ahead()
    first, again = [], []
    with program("web"):
        warm_up(prebuilt)
        for _ in range(3 if quick else 7):
            empty_tables()
            todo = requests(prebuilt, num_batches)
            shares = [todo[n::NUM_CLIENTS] for n in range(NUM_CLIENTS)]
            first.append(_rate(shares, again=False))
            again.append(_rate([*shares[1:], shares[0]], again=True))
    return compare(
        "ingest_resent",
        unit="events/s",
        values=again,
        limits=first,
        want=WANT,
        notes={"events per repeat": num_batches * BATCH},
    )


def _rate(shares: list[list[bytes]], *, again: bool) -> float:
    """Events per second, of one client per share."""
    senders = [partial(send_batches, WEB_PORT, share, num_events=BATCH, again=again) for share in shares]
    return sum(map(len, shares)) * BATCH / run_together(senders).seconds
