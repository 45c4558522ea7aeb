"""CloudEvents at `POST /v1/usage/events`, and as OpenMeter takes them at `POST /api/v1/events`."""

import json
from typing import Any, Final

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent
from corehttp.exceptions import HttpResponseError
from django.http import HttpResponse
from django.test import Client
from openmeter import Client as OpenMeter
from openmeter.models import Event

from apikeys.models import APIKey
from metering.ingestion_models import IngestCount
from metering.intake import fast_path
from metering.intake.received.tally import tally
from metering.intake.sources.identity import id_of_two
from metering.models import UsageEvent
from tests.engine import case_name, days_ago, make_event, num_events, send
from tests.metering.intake.sources.test_responses import stored
from tests.world import World

EVENTS: Final = "/v1/usage/events"
OPENMETER: Final = "/api/v1/events"
ONE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
TOKENS: Final = ("model", "num_model_requests", "input_tokens", "output_tokens")


def make_cloud_event(key: APIKey | None, *, data: Any = (), **attributes: Any) -> dict[str, Any]:
    """A good event of yesterday; attributes that are None are left out, and fields of `data` are changed."""
    usage = {"usage_type": "completions", "model": "gpt-4o", "input_tokens": 100, "output_tokens": 20}
    event = {
        "specversion": "1.0",
        "id": "event-1",
        "source": "gateway-1",
        "type": "usage",
        "time": days_ago(1).isoformat(),
        "subject": key.public_id if key else None,
        "data": {**usage, **dict(data)} if isinstance(data, dict | tuple) else data,
        **attributes,
    }
    return {name: value for name, value in event.items() if value is not None}


def ask(body: Any, secret: str, *, address: str = EVENTS, content_type: str = ONE, **headers: str) -> HttpResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {secret}", **headers}
    response = Client().post(address, data, content_type=content_type, headers=headers)
    assert isinstance(response, HttpResponse)
    return response


def statuses(body: Any, secret: str, **options: str) -> list[str]:
    response = ask(body, secret, **options)
    assert response.status_code == 200, response.content
    return [result.get("code", result["status"]) for result in json.loads(response.content)["results"]]


def test_structured_binary_and_batch_are_the_same_event(token: str, key: APIKey) -> None:
    event = make_cloud_event(key)
    attributes = {name: value for name, value in event.items() if name != "data"}
    real = CloudEvent(attributes, event["data"])
    headers, body = to_structured(real)
    assert statuses(body, token, content_type=headers["content-type"]) == ["accepted"]
    headers, body = to_binary(real)
    more = {name: value for name, value in headers.items() if name.startswith("ce-")}
    assert statuses(body, token, content_type="application/json", **more) == ["duplicate"]
    assert statuses([event, event], token, content_type=BATCH) == ["duplicate", "duplicate"]
    assert statuses([event], token, content_type=f"{BATCH}; charset=utf-8") == ["duplicate"]
    assert stored(*TOKENS) == [("gpt-4o", 1, 100, 20)]


def test_it_is_the_event_that_the_native_format_would_have_been(token: str, key: APIKey) -> None:
    assert statuses(make_cloud_event(key), token) == ["accepted"]
    native = make_event(id=id_of_two("gateway-1", "event-1"), api_key_id=key.public_id)
    assert send(native, token) == ["duplicate"]


def test_headers_of_the_binary_mode_are_percent_encoded(token: str, key: APIKey) -> None:
    event = make_cloud_event(key, source="gateway ä")
    assert statuses(event, token) == ["accepted"]
    headers = {f"ce-{name}": event[name] for name in ("specversion", "id", "type", "time", "subject")}
    headers["ce-source"] = "gateway%20%C3%A4"
    assert statuses(event["data"], token, content_type="application/json", **headers) == ["duplicate"]


def test_an_event_is_known_by_its_source_and_its_id(token: str, key: APIKey) -> None:
    events = [make_cloud_event(key), make_cloud_event(key, source="gateway-2"), make_cloud_event(key, id="event 2")]
    assert statuses(events, token, content_type=BATCH) == ["accepted"] * 3
    assert statuses(events, token, content_type=BATCH) == ["duplicate"] * 3


def test_key_and_organization_are_in_the_data_or_are_the_subject(token: str, key: APIKey, world: World) -> None:
    named = {"api_key_id": key.public_id}
    events = [
        make_cloud_event(None, id="a", data=named, subject="customer-7"),
        make_cloud_event(None, id="b", data=named, subject=world.acme.public_id),
        make_cloud_event(None, id="c"),
        make_cloud_event(key, id="d", data={"api_key_id": "key_0123456789abcdefg"}),
        make_cloud_event(None, id="e", data=named, subject=["old", "LiteLLM"]),
    ]
    codes = ["accepted", "accepted", "missing_api_key_id", "unknown_api_key", "accepted"]
    assert statuses(events, token, content_type=BATCH) == codes


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("100", "accepted"),
        ("100.000", "accepted"),
        ("1e2", "accepted"),
        ("100.5", "invalid_measure"),
        ("-1", "invalid_measure"),
        ("", "invalid_measure"),
        ("NaN", "invalid_measure"),
        ("1e999999999", "invalid_measure"),
        ("9" * 30, "invalid_measure"),
        ("a lot", "invalid_measure"),
        (True, "invalid_measure"),
        (100.5, "invalid_measure"),
    ],
    ids=case_name,
)
def test_numbers_may_be_decimal_texts_when_they_are_whole(token: str, key: APIKey, number: Any, code: str) -> None:
    events = [make_cloud_event(key, data={"input_tokens": number}), make_cloud_event(key, id="b")]
    assert statuses(events, token, content_type=BATCH) == [code, "accepted"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"time": None}, "missing_field"),
        ({"time": "yesterday"}, "invalid_timestamp"),
        ({"time": "2020-01-01T00:00:00Z"}, "too_old"),
        ({"specversion": "0.3"}, "unknown_specversion"),
        ({"specversion": None}, "missing_field"),
        ({"id": None}, "missing_field"),
        ({"id": ""}, "invalid_id"),
        ({"source": ""}, "invalid_id"),
        ({"type": None}, "missing_field"),
        ({"id": 7}, "invalid_id"),
        ({"data": {"colour": "red"}}, "unknown_field"),
        ({"data": "text"}, "invalid_event"),
        ({"data": [1]}, "invalid_event"),
        ({"data": {"usage_type": "telepathy"}}, "unknown_usage_type"),
    ],
    ids=case_name,
)
def test_an_event_that_cannot_be_taken_says_why_and_costs_no_neighbour(
    token: str, key: APIKey, changes: dict[str, Any], code: str
) -> None:
    events = [make_cloud_event(key, id="a"), make_cloud_event(key, **changes), make_cloud_event(key, id="b")]
    if "data" not in changes:
        events[1] = make_cloud_event(key) | changes
        events[1] = {name: value for name, value in events[1].items() if value is not None}
    assert statuses(events, token, content_type=BATCH) == ["accepted", code, "accepted"]


def test_data_of_another_kind_is_refused_one_by_one(token: str, key: APIKey) -> None:
    foreign = make_cloud_event(key, type="com.github.push") | {"data": {"commit": "abc"}}
    without = {name: value for name, value in make_cloud_event(key, id="c").items() if name != "data"}
    events = [foreign, make_cloud_event(key), without]
    assert statuses(events, token, content_type=BATCH) == ["missing_field", "accepted", "invalid_event"]


def test_data_in_base64_is_read(token: str, key: APIKey) -> None:
    event = make_cloud_event(key)
    real = CloudEvent({name: value for name, value in event.items() if name != "data"}, b"")
    real.data = json.dumps(event["data"]).encode()
    headers, body = to_structured(real, data_marshaller=lambda data: data)
    assert b"data_base64" in body
    assert statuses(body, token, content_type=headers["content-type"]) == ["accepted"]


def test_a_correction_names_its_event_as_its_source_does(token: str, key: APIKey) -> None:
    assert statuses(make_cloud_event(key), token) == ["accepted"]
    data = {"usage_type": "completions", "model": "gpt-4o", "corrects": "event-1", "output_tokens": -5}
    correction = make_cloud_event(key, id="event-1-less") | {"data": data}
    assert statuses(correction, token) == ["accepted"]
    assert num_events() == 2


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[1,", b'{"id":'], ids=repr)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(token: str, body: bytes) -> None:
    response = ask(body, token)
    assert response.status_code == 400
    assert json.loads(response.content)["error"]["code"] in ("empty_body", "invalid_json")


def test_they_are_counted_as_what_they_are(token: str, key: APIKey) -> None:
    events = [make_cloud_event(key), make_cloud_event(key, id="b", time=None)]
    assert statuses(events, token, content_type=BATCH) == ["accepted", "missing_field"]
    assert send(make_event(api_key_id=key.public_id), token) == ["accepted"]
    tally.write()
    rows = IngestCount.objects.filter(grain="minute").values_list("source", "kind", "code", "number")
    assert set(rows) == {
        ("cloudevents", "accepted", "", 1),
        ("cloudevents", "rejected", "missing_field", 1),
        ("native", "accepted", "", 1),
    }


def test_openmeters_example_is_input_and_output_of_one_request(token: str, key: APIKey) -> None:
    events = [
        make_cloud_event(None, id=kind, type="prompt", subject=key.public_id)
        | {"data": {"tokens": "50", "model": "gpt-4-turbo", "type": kind}}
        for kind in ("system", "input", "output")
    ]
    assert ask(events, token, address=OPENMETER, content_type=BATCH).status_code == 204
    tokens = UsageEvent.objects.values_list("num_model_requests", "input_tokens", "output_tokens")
    assert sorted(tokens, key=repr) == [(1, None, 50), (None, 50, None), (None, 50, None)]


def test_litellms_callback_for_openmeter_is_read(token: str, key: APIKey) -> None:
    data = {"model": "gpt-4o", "cost": 0.01, "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    event = make_cloud_event(key, type="litellm_tokens", source="litellm-proxy", id="chatcmpl-1") | {"data": data}
    assert ask(event, token, address=OPENMETER).status_code == 204
    embedding = {**data, "completion_tokens": None}
    assert ask({**event, "id": "b", "data": embedding}, token, address=OPENMETER).status_code == 204
    assert set(UsageEvent.objects.values_list("input_tokens", "output_tokens")) == {(100, 20), (100, None)}


def test_openmeters_address_answers_204_or_with_a_problem(token: str, key: APIKey) -> None:
    event = make_cloud_event(key)
    response = ask(event, token, address=OPENMETER, content_type="application/json")
    assert (response.status_code, response.content) == (204, b"")
    response = ask([event, {**event, "id": "b", "specversion": "2"}], token, address=OPENMETER, content_type=BATCH)
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    problem = json.loads(response.content)
    assert (problem["code"], [found["index"] for found in problem["events"]]) == ("unknown_specversion", [1])
    assert ask(event, "it-unknown", address=OPENMETER).status_code == 401
    assert num_events() == 1


def test_both_addresses_come_by_the_short_road() -> None:
    assert {EVENTS, OPENMETER} <= fast_path.WAYS.keys()


@pytest.mark.django_db(transaction=True)
def test_openmeters_client_sends_as_it_is(live_server: Any, world: World, key: APIKey, token: str) -> None:
    event = Event(
        id="event-1",
        source="gateway-1",
        specversion="1.0",
        type="usage",
        subject=key.public_id,
        time=days_ago(1),
        data={"usage_type": "completions", "model": "gpt-4o", "input_tokens": "100", "output_tokens": 20},
    )
    with OpenMeter(endpoint=live_server.url, token=token) as client:
        client.events.ingest_event(event)
        client.events.ingest_events([event, Event({**event, "id": "event-2"})])
        with pytest.raises(HttpResponseError):
            client.events.ingest_event(Event({**event, "id": "event-3", "specversion": "2.0"}))
    assert UsageEvent.objects.count() == 2
