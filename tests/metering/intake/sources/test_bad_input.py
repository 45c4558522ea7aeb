"""What no sender should send, by every way in: it is refused by its code, and costs nothing else."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest
from backports import zstd
from django.test import Client

from metering.ingestion_models import IngestCount, Kind, RefusedItem, UnknownKey
from metering.intake.fast_path import WAYS
from metering.intake.received.tally import tally
from tests.engine import make_event, make_key_and_secret, num_events
from tests.metering.intake.sources.litellm_payloads import hash_of, make_payload
from tests.metering.intake.sources.otlp import requests as spans
from tests.metering.intake.sources.test_cloudevents import make_cloud_event
from tests.metering.intake.sources.test_responses import make_item
from tests.world import World

UNKNOWN_ID: Final = "key_0123456789abcdefg"
UNKNOWN_SECRET: Final = "sk-nobody-has-this"


@dataclass(frozen=True)
class Caller:
    """Whose usage it is: the id of a key, and its secret."""

    key_id: str
    secret: str


@dataclass(frozen=True)
class Format:
    """How one event is written, and several of them."""

    address: str
    one: Callable[[str, Caller, Any], Any]
    content_type: str = "application/json"
    several: Callable[[list[Any]], bytes] = lambda items: json.dumps(items, default=str).encode()


def native(name: str, caller: Caller, tokens: Any) -> Any:
    return make_event(id=name, api_key_id=caller.key_id, input_tokens=tokens)


def answer(name: str, caller: Caller, tokens: Any) -> Any:
    usage = {"prompt_tokens": tokens, "completion_tokens": 2}
    return make_item(api_key_id=caller.key_id, response={"id": name, "model": "gpt-4o", "usage": usage})


def payload(name: str, caller: Caller, tokens: Any) -> Any:
    usage = {"prompt_tokens": tokens, "completion_tokens": 2}
    return make_payload(caller.secret, id=name, metadata={"usage_object": usage})


def cloud_event(name: str, caller: Caller, tokens: Any) -> Any:
    return make_cloud_event(None, id=name, subject=caller.key_id, data={"input_tokens": tokens})


def span(name: str, caller: Caller, tokens: Any) -> Any:
    attributes = spans.chat(gen_ai__usage__input_tokens=tokens) | {"usage_dashboard.api_key_id": caller.key_id}
    return spans.Span(sum(name.encode()), attributes=attributes)


FORMATS: Final = {
    "native": Format("/v1/usage/events", native),
    "native in lines": Format(
        *("/v1/usage/events", native, "application/x-ndjson"),
        lambda items: b"\n".join(json.dumps(item, default=str).encode() for item in items),
    ),
    "responses": Format("/v1/usage/responses", answer),
    "litellm": Format("/v1/integrations/litellm", payload),
    "cloudevents": Format("/v1/usage/events", cloud_event, "application/cloudevents-batch+json"),
    "openmeter": Format("/api/v1/events", cloud_event, "application/cloudevents-batch+json"),
    "otlp in protobuf": Format("/v1/traces", span, spans.PROTOBUF, lambda items: spans.in_protobuf(*items)),
    "otlp in json": Format("/v1/traces", span, spans.JSON, lambda items: spans.in_json(*items)),
}
of_every_way = pytest.mark.parametrize("way", FORMATS.values(), ids=FORMATS)


@pytest.fixture
def caller(world: World) -> Caller:
    key, secret = make_key_and_secret(world.rita)
    return Caller(key.public_id, secret)


def ask(way: Format, body: bytes, token: str, **headers: str) -> int:
    """The status of the answer."""
    headers = {"Authorization": f"Bearer {token}", **headers}
    return Client().post(way.address, body, content_type=way.content_type, headers=headers).status_code


def rejected() -> dict[str, int]:
    tally.write()
    found = IngestCount.objects.filter(grain="minute", kind=Kind.REJECTED.value)
    return {row.code: row.number for row in found}


def test_no_way_in_is_forgotten() -> None:
    assert {way.address for way in FORMATS.values()} == WAYS.keys()


@of_every_way
@pytest.mark.parametrize("tokens", [-1, 1.5, "many", True], ids=repr)
def test_one_bad_item_never_costs_its_neighbours(token: str, caller: Caller, way: Format, tokens: Any) -> None:
    items = [way.one(name, caller, count) for name, count in (("a", 100), ("b", tokens), ("c", 100))]
    ask(way, way.several(items), token)
    assert num_events() == 2
    assert rejected() == {"invalid_measure": 1}


@of_every_way
def test_a_key_that_is_not_known_is_refused_alone_and_listed(token: str, caller: Caller, way: Format) -> None:
    stranger = Caller(UNKNOWN_ID, UNKNOWN_SECRET)
    ask(way, way.several([way.one("a", caller, 100), way.one("b", stranger, 100)]), token)
    assert num_events() == 1
    assert rejected() == {"unknown_api_key": 1}
    listed = f"sha256:{hash_of(UNKNOWN_SECRET)[:16]}" if way.one is payload else UNKNOWN_ID
    assert [item.key for item in RefusedItem.objects.all()] == [listed]
    assert [unknown.key for unknown in UnknownKey.objects.all()] == [listed]


@of_every_way
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_packed_bodies_are_taken_and_bombs_and_halves_are_not(
    token: str, caller: Caller, way: Format, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(way.several([way.one("a", caller, 100)]))
    encoded = {"Content-Encoding": encoding}
    assert ask(way, pack(bytes(64 << 20)), token, **encoded) == 413
    assert ask(way, packed[:-5], token, **encoded) == 400
    assert num_events() == 0
    assert ask(way, packed, token, **encoded) in (200, 204)
    assert num_events() == 1


@of_every_way
def test_a_body_cut_in_the_middle_stores_nothing_that_is_not_whole(token: str, caller: Caller, way: Format) -> None:
    body = way.several([way.one(name, caller, 100) for name in ("a", "b")])
    ask(way, body[: len(body) * 3 // 4], token)
    assert num_events() == (1 if way.content_type.endswith("ndjson") else 0)
    ask(way, body, token)
    assert num_events() == 2
