"""Prebuilt events: as the JSON body of a request, and as the very rows that this body becomes, for bare COPY."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count
from typing import Any, Final

from apikeys.routing import ATTRIBUTED
from benchmarks.load.client import post_head
from benchmarks.load.world import KEY_SKEW, MODEL_SKEW, MODELS, NUM_KEYS, World, shares
from metering.measures import MEASURES

PATH: Final = "/v1/usage/events"
BATCH: Final = 1_000
COLUMNS: Final = ", ".join(
    (
        *("organization_id", "occurred_at", "event_id", "batch_id", "user_id", "api_key_id", "sku_id", "routing"),
        *("corrects", *MEASURES),
    )
)
"""In the order of `Template.rows`."""
EMPTY: Final = r"\N"
TAG: Final = "TTTTTTTT"
"""Stands in each id of a template; every request puts a number of its own there, so that no id comes twice."""

tags = count(1)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request for completions."""

    key: int
    model: int
    at: datetime
    input_tokens: int
    cached_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Template:
    """A batch whose ids lack their tag. All its events are of one second."""

    world: World
    second: datetime
    samples: list[Sample]
    request: bytes

    def tagged(self, tag: int) -> bytes:
        """The request, head and body, with ids of its own."""
        return self.request.replace(TAG.encode(), b"%08x" % tag)

    def tagged_at(self, tag: int, at: datetime) -> bytes:
        """The same with ids of its own and the events in the second of `at`."""
        return self.tagged(tag).replace(_second(self.second).encode(), _second(at).encode())

    def tagged_now(self, tag: int) -> bytes:
        """The same with ids of its own and the events in the current second."""
        return self.tagged_at(tag, datetime.now(UTC))

    def rows(self, tag: int, batch_id: int) -> bytes:
        """The rows of the same events in COPY's text format, sorted by their key as the product sorts them."""
        return "".join(
            sorted(self._row(sample, _id(n, f"{tag:08x}"), batch_id) for n, sample in self._numbered)
        ).encode()

    @property
    def _numbered(self) -> "enumerate[Sample]":
        return enumerate(self.samples)

    def _row(self, sample: Sample, event_id: str, batch_id: int) -> str:
        key = self.world.keys[sample.key]
        digest = blake2b(event_id.encode(), digest_size=16).hexdigest()
        said = {
            "num_model_requests": 1,
            "input_tokens": sample.input_tokens,
            "input_cached_tokens": sample.cached_tokens,
            "output_tokens": sample.output_tokens,
        }
        measures = (said.get(measure, EMPTY) for measure in MEASURES)
        return (
            f"{self.world.organization.id}\t{sample.at.isoformat()}\t{digest}\t{batch_id}\t{key.user_id}\t{key.id}\t"
            f"{self.world.sku_ids[sample.model]}\t{int(ATTRIBUTED)}\t{EMPTY}\t" + "\t".join(map(str, measures)) + "\n"
        )


def templates(  # noqa: PLR0913 - keywords, of which most callers need none
    world: World,
    number: int,
    *,
    batch: int = BATCH,
    attributes_of: Callable[[random.Random, int], dict[str, str]] | None = None,
    path: str = PATH,
    made: Callable[[World, Sample, str], Any] | None = None,
    packed: Callable[[list[Any]], bytes] | None = None,
    content_type: str = "application/json",
) -> list[Template]:
    """Batches of usage of the last minutes: each holds one second, as a gateway that reports once a second would send it.

    With `attributes_of`, events of the key with a rank have these attributes. With `made`, they are in another format, for
    `path`, and with `packed` in one that is no JSON.
    """
    rng = random.Random(2)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=number)
    found = []
    for second in range(number):
        at = start + timedelta(seconds=second)
        samples = _samples(rng, at, batch)
        events = [(made or event_of)(world, sample, _id(n, TAG)) for n, sample in enumerate(samples)]
        if attributes_of is not None:
            for event, sample in zip(events, samples, strict=True):
                event["attributes"] = attributes_of(rng, sample.key)
        body = (packed or _in_json)(events)
        head = post_head(path, token=world.token, num_bytes=len(body), content_type=content_type)
        found.append(Template(world, at, samples, head + body))
    return found


def _in_json(events: list[Any]) -> bytes:
    return json.dumps(events, separators=(",", ":")).encode()


def requests(prebuilt: list[Template], number: int) -> list[bytes]:
    """`number` requests that were never sent before."""
    return [prebuilt[n % len(prebuilt)].tagged(next(tags)) for n in range(number)]


def endless(prebuilt: list[Template], first_tag: int) -> Iterator[bytes]:
    """Requests without end, with tags from `first_tag` on, of usage at the moment when each is asked for."""
    for n in count():
        yield prebuilt[n % len(prebuilt)].tagged_now(first_tag + n)


def _samples(rng: random.Random, start: datetime, number: int) -> list[Sample]:
    chosen_keys = rng.choices(range(NUM_KEYS), cum_weights=shares(NUM_KEYS, KEY_SKEW), k=number)
    chosen_models = rng.choices(range(len(MODELS)), cum_weights=shares(len(MODELS), MODEL_SKEW), k=number)
    samples = []
    for key, model in zip(chosen_keys, chosen_models, strict=True):
        input_tokens = min(int(rng.lognormvariate(7, 0.8)), 30_000)
        at = start + timedelta(microseconds=rng.randrange(1_000_000))
        samples.append(
            Sample(key, model, at, input_tokens, input_tokens // 256 * 128, int(rng.lognormvariate(5.5, 0.7)) + 1)
        )
    return samples


def _second(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def _id(number: int, tag: str) -> str:
    """36 characters, as a UUID has."""
    return f"{tag}-0000-4000-8000-{number:012x}"


def event_of(world: World, sample: Sample, event_id: str) -> dict[str, object]:
    return {
        "id": event_id,
        "timestamp": sample.at.isoformat().replace("+00:00", "Z"),
        "usage_type": "completions",
        "model": MODELS[sample.model],
        "api_key_id": world.keys[sample.key].public_id,
        "input_tokens": sample.input_tokens,
        "input_cached_tokens": sample.cached_tokens,
        "output_tokens": sample.output_tokens,
    }
