"""`POST /v1/traces`: bad spans cost their neighbours nothing, bad requests are refused in the encoding they came in."""

import gzip
import json
import logging
import time
from io import BytesIO
from typing import Any, Final

import pytest
from backports import zstd
from django.db import OperationalError
from opentelemetry.proto.trace.v1 import trace_pb2
from pytest_django import Settings

from apikeys.models import APIKey
from metering.ingestion_models import Kind, RefusedItem, UnknownKey
from metering.intake import api, fast_path, ingest
from metering.intake.formats.events import Refusal
from metering.intake.formats.items import MAX_EVENTS
from metering.intake.received.tally import tally
from metering.intake.sources.otlp import answers
from metering.intake.sources.otlp.span import MAX_ATTRIBUTES
from tests.engine import case_name, days_ago, num_events
from tests.metering.intake.sources.otlp.requests import (
    JSON,
    PROTOBUF,
    Span,
    accept,
    chat,
    counted,
    export,
    in_json,
    in_protobuf,
    rejected,
    request_of,
    stored,
)

SECRET_WORDS: Final = "the-prompt-nobody-may-keep"


def around(key: APIKey, bad: Span) -> tuple[Span, Span, Span]:
    """The bad one between two good ones, all of the key."""
    resource = {"usage_dashboard.api_key_id": key.public_id, **bad.resource}
    return tuple(  # type: ignore[return-value]  # it is three
        Span(span.id, span.parent, span.attributes, span.failed, span.at, span.scope, resource)
        for span in (Span(101), bad, Span(102))
    )


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (Span(attributes=chat(gen_ai__request__model=None)), "invalid_model"),
        (Span(attributes=chat(gen_ai__request__model="m" * 129)), "invalid_model"),
        (Span(attributes=chat(gen_ai__request__model=12)), "invalid_model"),
        (Span(attributes=chat(gen_ai__usage__input_tokens="100")), "invalid_measure"),
        (Span(attributes=chat(gen_ai__usage__input_tokens=1.5)), "invalid_measure"),
        (Span(attributes=chat(gen_ai__usage__output_tokens=-1)), "invalid_measure"),
        (Span(attributes=chat(gen_ai__usage__output_tokens=True)), "invalid_measure"),
        (Span(attributes=chat(gen_ai__usage__total_tokens="many")), "invalid_measure"),
        (Span(attributes=chat(gen_ai__usage__input_tokens=2**63 - 1)), "measure_too_large"),
        (Span(id=0), "invalid_id"),
        (Span(attributes=chat(usage_dashboard__api_key_id="key_nobody")), "unknown_api_key"),
        (Span(attributes=chat(usage_dashboard__project="proj_nobody")), "unknown_project"),
        (Span(attributes=chat(usage_dashboard__project="p" * 300_000)), "event_too_large"),
        (Span(attributes=chat(**{f"J{n}": "" for n in range(MAX_ATTRIBUTES + 1)})), "too_many_attributes"),
    ],
    ids=case_name,
)
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_bad_span_is_rejected_and_its_neighbours_are_stored(
    token: str, key: APIKey, content_type: str, bad: Span, code: str
) -> None:
    spans = around(key, bad)
    if content_type == PROTOBUF:
        assert rejected(in_protobuf(*spans), token)[0] == 1
    else:
        partial = json.loads(export(in_json(*spans), token, content_type=JSON).content)["partialSuccess"]
        assert (partial["rejectedSpans"], partial["errorMessage"].split(":")[0]) == ("1", f"1 × {code}")
    assert counted(Kind.REJECTED) == {code: 1}
    assert num_events() == 2


def test_a_span_that_is_too_old_or_has_no_end_is_rejected(token: str, key: APIKey) -> None:
    spans = around(key, Span(at=days_ago(1_000)))
    request = request_of(*spans, Span(id=9))
    request.resource_spans[3].scope_spans[0].spans[0].end_time_unix_nano = 0
    number, sentence = rejected(request.SerializeToString(), token)
    assert number == 2
    assert {"1 × too_old", "1 × invalid_timestamp"} == {part.split(":")[0] for part in sentence.split(" · ")}
    assert num_events() == 2


@pytest.mark.parametrize("broken", [b"\xff\xff", b"\x4a\x05abc", b"\x0b"], ids=["varint", "cut attribute", "group"])
def test_a_span_that_is_broken_inside_is_rejected_alone(token: str, key: APIKey, broken: bytes) -> None:
    whole, _, __ = (request_of(span) for span in around(key, Span(7)))
    span = whole.resource_spans[0].scope_spans[0].spans[0].SerializeToString() + broken
    in_scope = b"\x12" + varint(len(span)) + span
    in_resource = b"\x12" + varint(len(in_scope)) + in_scope
    body = in_protobuf(*around(key, Span(7))[::2]) + b"\x0a" + varint(len(in_resource)) + in_resource
    assert rejected(body, token)[0] == 1
    assert counted(Kind.REJECTED) == {"invalid_span": 1}
    assert num_events() == 2


def test_a_text_cut_within_a_character_is_the_fault_of_who_reads_it(token: str, key: APIKey) -> None:
    """Senders cut long prompts after so many bytes."""
    of_prompt = chat(gen_ai__input__messages="a prompt é")
    of_model = chat(gen_ai__response__model="a model é")
    request = request_of(*around(key, Span(7, attributes=of_prompt)), *around(key, Span(8, attributes=of_model))[1:2])
    body = request.SerializeToString().replace("é".encode(), b"\xc3?")
    assert rejected(body, token)[0] == 1
    assert counted(Kind.REJECTED) == {"invalid_utf8": 1}
    assert num_events() == 3


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize(("content_type", "code"), [(PROTOBUF, "invalid_protobuf"), (JSON, "invalid_json")])
def test_a_body_cut_in_the_middle_stores_nothing(
    token: str, key: APIKey, content_type: str, code: str, share: float
) -> None:
    spans = around(key, Span(7))
    body = in_protobuf(*spans) if content_type == PROTOBUF else in_json(*spans)
    assert error_of(body[: int(len(body) * share)], token, content_type=content_type) == (400, code)


def error_of(body: bytes, secret: str | None, *, content_type: str = PROTOBUF, **headers: str) -> tuple[int, str]:
    """(status, code) of a request that is refused as a whole, in the encoding that it came in; nothing is stored."""
    response = export(body, secret, content_type=content_type, **headers)
    if content_type == JSON:
        message = json.loads(response.content)["message"]
    else:
        assert response.headers["Content-Type"] == PROTOBUF
        message = answers.Status.FromString(response.content).message
    assert message.endswith(".")
    assert num_events() == 0
    return response.status_code, message.partition(":")[0]


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_refused_request_is_answered_in_its_encoding(token: str, content_type: str) -> None:
    assert error_of(b"{", token, content_type=content_type)[0] == 400
    assert error_of(b"", None, content_type=content_type) == (401, "unauthenticated")
    assert error_of(b"", "it-nobody", content_type=content_type) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "expected"),
    [
        (b"", "text/plain", {}, (415, "unknown_content_type")),
        (b"hello", PROTOBUF, {}, (400, "invalid_protobuf")),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", PROTOBUF, {}, (400, "invalid_protobuf")),
        (b"[]", JSON, {}, (400, "invalid_request")),
        (b'{"resourceSpans": 1}', JSON, {}, (400, "invalid_request")),
        (b"hello", JSON, {}, (400, "invalid_json")),
        (b"[" * 100_000, JSON, {}, (400, "invalid_request")),
        (b'{"resourceSpans":' + b"[" * 100_000, JSON, {}, (400, "invalid_request")),
        (b"no gzip", PROTOBUF, {"Content-Encoding": "gzip"}, (400, "invalid_gzip")),
        (b"", PROTOBUF, {"Content-Encoding": "deflate"}, (415, "unknown_encoding")),
    ],
    ids=case_name,
)
def test_an_unreadable_request_is_refused_as_a_whole(
    token: str, body: bytes, content_type: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert error_of(body, token, content_type=content_type, **headers) == expected


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_request_without_spans_is_well(token: str, content_type: str) -> None:
    bodies = [b""] if content_type == PROTOBUF else [b"{}", b'{"resourceSpans": []}', b'{"resourceSpans": null}']
    assert {export(body, token, content_type=content_type).status_code for body in bodies} == {200}


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_packed_bodies_are_taken(token: str, key: APIKey, encoding: str, pack: Any) -> None:
    spans = around(key, Span(7))
    response = export(pack(in_protobuf(*spans)), token, **{"Content-Encoding": encoding})
    assert (response.status_code, num_events()) == (200, 3)


def bombs() -> list[tuple[str, bytes]]:
    """Bodies of nearly the largest size that hold as much as can be: two bytes for each message of protobuf."""
    most = 9_000_000

    def nested(*tags: bytes) -> bytes:
        body = tags[-1] * (most // len(tags[-1]))
        for tag in reversed(tags[:-1]):
            body = tag + varint(len(body)) + body
        return body

    many = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}'
    attributes = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[%s{}]}]}]}]}'
    return [
        (PROTOBUF, nested(b"\x0a\x00")),
        (PROTOBUF, nested(b"\x0a", b"\x12\x00")),
        (PROTOBUF, nested(b"\x0a", b"\x0a", b"\x0a\x00")),
        (PROTOBUF, nested(b"\x0a", b"\x12", b"\x12\x00")),
        (PROTOBUF, nested(b"\x0a", b"\x12", b"\x12", b"\x4a\x00")),
        (PROTOBUF, nested(b"\x0a", b"\x12", b"\x12", b"\xca\x00\x00")),
        (PROTOBUF, nested(b"\x0a", b"\x12", b"\x12", b"\x5a\x00")),
        (JSON, many % (b"{}," * (most // 3) + b"{}")),
        (JSON, attributes % (b"{}," * (most // 3))),
    ]


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def test_what_holds_millions_of_things_costs_no_more_than_what_is_honest(token: str, key: APIKey) -> None:
    prompt = chat(gen_ai__input__messages="J" * 9_000)
    honest = in_protobuf(*around(key, Span(7)), *(Span(1_000 + n, attributes=prompt) for n in range(900)))
    started = time.process_time()
    export(honest, token)
    limit = time.process_time() - started
    for content_type, body in bombs():
        started = time.process_time()
        response = export(body, token, content_type=content_type)
        assert response.status_code in (200, 400, 413), response.content
        assert time.process_time() - started < 10 * limit


def test_more_spans_than_a_request_can_have_are_refused(token: str) -> None:
    request = request_of(Span(attributes={}))
    spans = request.resource_spans[0].scope_spans[0].spans
    spans.extend([trace_pb2.Span()] * (MAX_EVENTS - 1))
    assert export(request.SerializeToString(), token).status_code == 200
    spans.extend([trace_pb2.Span()])
    assert error_of(request.SerializeToString(), token) == (413, "too_many_events")


def test_a_database_that_takes_nothing_asks_to_send_again(
    token: str, key: APIKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(ingest, "store", fail)
    response = export(in_protobuf(*around(key, Span(7))), token)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert answers.Status.FromString(response.content).message.startswith("unavailable: ")


def test_a_server_error_asks_to_send_again(
    token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Exporters throw away what was answered 500."""

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(api, "answer", fail)
    started: list[Any] = []
    environ = {"PATH_INFO": "/v1/traces", "CONTENT_TYPE": PROTOBUF, "wsgi.input": BytesIO()}
    fast_path.EventsFirst(None)(environ, lambda *described: started.extend(described))
    assert started[0] == "503 Service Unavailable"
    assert ("Retry-After", "1") in started[1]
    assert "RuntimeError" in caplog.text


def test_nothing_of_what_was_asked_and_answered_is_kept_or_logged(
    token: str, key: APIKey, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    caplog.set_level(logging.DEBUG)
    telling = {"gen_ai.input.messages": SECRET_WORDS, "gen_ai.prompt.0.content": SECRET_WORDS}
    good = Span(1, attributes=chat(**telling))
    bad = Span(2, attributes=chat(gen_ai__usage__input_tokens=SECRET_WORDS, **telling))
    body = in_protobuf(*around(key, good), bad)
    number, sentence = rejected(body, token)
    tally.write()
    kept = [*RefusedItem.objects.values_list("message", "code", "event_id", "key"), sentence, caplog.text]
    assert number == 1
    assert SECRET_WORDS not in repr(kept)


def test_a_key_that_is_not_known_is_noted_and_its_span_accepted_once_it_is(token: str, key: APIKey) -> None:
    headers = {"X-Usage-Api-Key-Id": "key_00000000000000000"}
    assert rejected(in_protobuf(Span()), token, **headers)[0] == 1
    tally.write()
    assert list(UnknownKey.objects.values_list("key", "source")) == [("key_00000000000000000", "otlp")]
    accept(token, Span(), **{"X-Usage-Api-Key-Id": key.public_id})
    assert stored("input_tokens") == [(100,)]


def test_reasons_are_said_once_the_most_frequent_first() -> None:
    refusals = [Refusal(f"code_{number}", "A sentence.") for number in range(8) for _ in range(number + 1)]
    sentence = answers._sentences(refusals)
    assert sentence.startswith("8 × code_7: A sentence. · 7 × code_6")
    assert sentence.endswith("· …")
