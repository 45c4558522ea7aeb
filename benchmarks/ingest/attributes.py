"""Figure: events per second through HTTP with a project and three attributes, beside the same without."""

from functools import partial
from typing import Final

from benchmarks.ingest.batches import prepare, through_http, warm_up
from benchmarks.load import purposes
from benchmarks.load.events import BATCH, templates
from benchmarks.load.servers import program
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare, in_turn

WANT: Final = 0.9


def measure(world: World, *, quick: bool) -> Figure:
    """The figure; both ways store the same number of events of 1,000 keys, into empty tables."""
    num_batches = 80 if quick else 600
    other = purposes.make_world_with_purposes("ingest-attributes")
    without = templates(world, 40)
    with_attributes = templates(other, 40, attributes_of=purposes.attributes_of)
    prepare(without)
    prepare(with_attributes)
    with program("web"):
        for prebuilt in (without, with_attributes):
            warm_up(prebuilt)
            through_http(prebuilt, 4 * len(prebuilt))  # every process learns every combination
        results = in_turn(
            {
                "with": partial(through_http, with_attributes, num_batches),
                "without": partial(through_http, without, num_batches),
            },
            repeats=3 if quick else 7,
        )
    return compare(
        "ingest_attributes",
        unit="events/s",
        values=results["with"],
        limits=results["without"],
        want=WANT,
        notes={"events per repeat": num_batches * BATCH},
    )
