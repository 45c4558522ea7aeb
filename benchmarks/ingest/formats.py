"""Figures: events per second through HTTP as LiteLLM's proxy, providers and OpenTelemetry write them, beside our own format."""

from functools import partial
from statistics import median
from typing import Final

from apikeys.models import APIKey
from benchmarks.ingest.batches import prepare, through_http, warm_up
from benchmarks.load.events import BATCH, Template, templates
from benchmarks.load.foreign import item_of, payload_of, span_of, spans_packed
from benchmarks.load.servers import cpu_seconds, program
from benchmarks.load.world import World
from benchmarks.measure import Figure, compare, in_turn
from usage_dashboard.machine.processes import Child

WANT: Final = 0.5
NUM_TEMPLATES: Final = 20
NATIVE: Final = "native"


def measure(world: World, *, quick: bool) -> list[Figure]:
    """A figure for each; all ways store the same number of events of the same samples, into empty tables, in turn."""
    num_batches = 60 if quick else 400
    ways = {NATIVE: templates(world, NUM_TEMPLATES), **_foreign(world)}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    prepare(ways[NATIVE])
    with program("web") as web:
        warm_up(ways[NATIVE])
        for prebuilt in ways.values():
            through_http(prebuilt, len(prebuilt))
        results = in_turn(
            {name: partial(_rate, web, prebuilt, num_batches, cpu[name]) for name, prebuilt in ways.items()},
            repeats=3 if quick else 7,
        )
    return [
        compare(
            f"ingest_{name}",
            unit="events/s",
            values=results[name],
            limits=results[NATIVE],
            want=WANT,
            notes={
                "events per repeat": num_batches * BATCH,
                "bytes per event": len(prebuilt[0].request) // BATCH,
                "web: µs of processor time per event": round(median(cpu[name]), 2),
                "the same of native events": round(median(cpu[NATIVE]), 2),
            },
        )
        for name, prebuilt in ways.items()
        if name != NATIVE
    ]


def _foreign(world: World) -> dict[str, list[Template]]:
    hashes = dict(APIKey.objects.values_list("public_id", "digest"))
    payload = partial(payload_of, hashes=hashes)
    return {
        "litellm": templates(world, NUM_TEMPLATES, path="/v1/integrations/litellm", made=payload),
        "responses": templates(world, NUM_TEMPLATES, path="/v1/usage/responses", made=item_of),
        "otlp": templates(
            world,
            NUM_TEMPLATES,
            path="/v1/traces",
            made=span_of,
            packed=spans_packed,
            content_type="application/x-protobuf",
        ),
    }


def _rate(web: Child, prebuilt: list[Template], num_batches: int, cpu: list[float]) -> float:
    before = cpu_seconds(web)
    rate = through_http(prebuilt, num_batches)
    cpu.append((cpu_seconds(web) - before) * 1e6 / (num_batches * BATCH))
    return rate
