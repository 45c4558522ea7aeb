"""One call of a provider, as every way in hears of it: the same event to the token, and the same cost to the digit."""

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from typing import Any, Final

import pytest

from apikeys.models import APIKey
from billing.models import DailyCost
from metering.measures import MEASURES
from metering.models import UsageEvent
from tests.engine import days_ago, make_key_and_secret, make_token, roll_up, send
from tests.metering.intake.sources import litellm_payloads, test_cloudevents, test_responses
from tests.metering.intake.sources.otlp import requests
from tests.metering.intake.sources.same_calls import OPENAI, Call
from tests.metering.intake.sources.same_calls_of_others import OTHERS
from tests.world import World

CALLS: Final = (*OPENAI, *OTHERS)
TOKENS_AND_MORE: Final = [name for name in MEASURES if name != "num_model_requests"]


class Senders:
    """One sender a way in. Each reports the call by the same key, at the moment that it is given."""

    def __init__(self, key: APIKey, secret: str) -> None:
        self.key, self.secret, self.token = key, secret, make_token()

    def native(self, call: Call, at: datetime, *, by_span: bool = False) -> None:
        """`by_span` leaves out what a span does not say."""
        event = {name: value for name, value in call.event.items() if not (by_span and name in call.not_in_span)}
        others = {} if by_span else call.tools
        shared = {"provider": call.event["provider"], "model": call.event["model"]}
        shared |= {"api_key_id": self.key.public_id, "timestamp": at}
        events = [{**event, **shared, "id": "a"}, *({**shared, **tool, "id": name} for name, tool in others.items())]
        assert set(send(events, self.token)) == {"accepted"}

    def responses(self, call: Call, at: datetime) -> None:
        item = {"response": None, "api": None, **call.item}
        item = test_responses.make_item(api_key_id=self.key.public_id, timestamp=at, **item)
        assert test_responses.statuses(item, self.token) == ["accepted"]

    def litellm(self, call: Call, at: datetime) -> None:
        counted = call.payload["metadata"]["usage_object"]
        payload = litellm_payloads.make_payload(self.secret, **(call.payload | {"endTime": at.timestamp()}))
        payload |= {name: counted.get(name, 0) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
        assert litellm_payloads.statuses([payload], self.token) == ["accepted"]

    def spans_in_protobuf(self, call: Call, at: datetime) -> None:
        requests.accept(self.token, self._span(call, at))

    def spans_in_json(self, call: Call, at: datetime) -> None:
        response = requests.export(requests.in_json(self._span(call, at)), self.token, content_type=requests.JSON)
        assert json.loads(response.content) == {}

    def cloud_events(self, call: Call, at: datetime, *, mode: str) -> None:
        events = [self._cloud_event(call.event, "a", at)]
        events += [self._cloud_event(self._of_tool(call, tool), name, at) for name, tool in call.tools.items()]
        if mode == "batch":
            codes = test_cloudevents.statuses(events, self.token, content_type=test_cloudevents.BATCH)
            assert set(codes) == {"accepted"}
        for event in events if mode != "batch" else ():
            if mode == "structured":
                assert test_cloudevents.statuses(event, self.token) == ["accepted"]
            elif mode == "binary":
                headers = {f"ce-{name}": value for name, value in event.items() if name != "data"}
                sent = test_cloudevents.statuses(event["data"], self.token, content_type="application/json", **headers)
                assert sent == ["accepted"]
            else:
                address = test_cloudevents.OPENMETER
                assert test_cloudevents.ask(event, self.token, address=address).status_code == 204

    def _cloud_event(self, data: dict[str, Any], name: str, at: datetime) -> dict[str, Any]:
        return test_cloudevents.make_cloud_event(self.key, id=name, time=at.isoformat()) | {"data": data}

    @staticmethod
    def _of_tool(call: Call, tool: dict[str, Any]) -> dict[str, Any]:
        return {"provider": call.event["provider"], "model": call.event["model"], **tool}

    def _span(self, call: Call, at: datetime) -> requests.Span:
        assert call.span is not None
        attributes = {**call.span, "usage_dashboard.api_key_id": self.key.public_id}
        return requests.Span(attributes=attributes, scope=call.scope, at=at)


@pytest.fixture
def senders(world: World) -> Senders:
    return Senders(*make_key_and_secret(world.rita))


def stored(day: date) -> list[tuple[Any, ...]]:
    """SKU and measures of the events of a day."""
    columns = ("sku_id", "num_model_requests", *TOKENS_AND_MORE)
    return sorted(UsageEvent.objects.filter(occurred_at__date=day).values_list(*columns), key=repr)


def costs(day: date) -> list[tuple[Any, ...]]:
    """What they cost, by SKU and line item."""
    found = DailyCost.objects.filter(day=day).order_by("sku_id", "line_item")
    return list(found.values_list("sku_id", "line_item", "quantity", "unit_price", "amount"))


def days() -> Iterator[datetime]:
    """A day for each sender, so that what each has said can be told apart."""
    return map(days_ago, range(1, 30))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_call_is_the_same_event_and_costs_the_same_by_every_way_in(senders: Senders, call: Call) -> None:
    ways: list[Callable[[Call, datetime], None]] = [senders.native, senders.responses, senders.litellm]
    ways += [partial(senders.cloud_events, mode=mode) for mode in ("structured", "batch", "binary", "openmeter")]
    sent = dict(zip(ways, days(), strict=False))
    for way, at in sent.items():
        way(call, at)
    roll_up()
    events, amounts = stored(sent[senders.native].date()), costs(sent[senders.native].date())
    assert len(events) == 1 + len(call.tools)
    for way, at in sent.items():
        assert (way, stored(at.date())) == (way, events)
        assert (way, costs(at.date())) == (way, amounts)
    assert any(amount for *_, amount in amounts), "it has no price at all"


@pytest.mark.parametrize("call", [call for call in CALLS if call.span], ids=lambda call: call.name)
def test_a_span_says_the_same_but_for_what_it_has_no_name_for(senders: Senders, call: Call) -> None:
    ways: list[Callable[[Call, datetime], None]] = [partial(senders.native, by_span=True)]
    ways += [senders.spans_in_protobuf, senders.spans_in_json]
    sent = list(zip(ways, days(), strict=False))
    for way, at in sent:
        way(call, at)
    roll_up()
    ((_, first), *others) = sent
    assert len(stored(first.date())) == 1
    for way, at in others:
        assert (way, stored(at.date())) == (way, stored(first.date()))
        assert (way, costs(at.date())) == (way, costs(first.date()))
    assert any(amount for *_, amount in costs(first.date())), "it has no price at all"
