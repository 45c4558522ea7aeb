"""Corrections: by gateways alone, of a stored event of the same organization, key and SKU, and never below zero."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.organizations.organizations import set_default_organization
from apikeys.models import APIKey
from billing.models import DailyCost
from metering.models import Model, Sku, UsageEvent
from tests.engine import days_ago, make_event, make_key, make_key_and_secret, make_token, num_events, roll_up, send
from tests.world import World, join

TRILLION = 10**12


def correction_of(event: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A correction with the event's own fields but for its measures, and with these changed."""
    measures = {"input_tokens": None, "input_cached_tokens": None, "output_tokens": None, "num_model_requests": None}
    corrected = {**event, "id": f"fix-{event['id']}", "corrects": event["id"], **measures, **fields}
    return {name: value for name, value in corrected.items() if value is not None}


@pytest.fixture
def event(key: APIKey) -> dict[str, Any]:
    return make_event(api_key_id=key.public_id)


def left(measure: str = "input_tokens") -> int:
    return sum(UsageEvent.objects.exclude(**{measure: None}).values_list(measure, flat=True))


# Who may


def test_with_ones_own_key_a_correction_is_refused_and_leaves_the_cost_as_it_was(world: World) -> None:
    _, secret = make_key_and_secret(world.rita)
    event = make_event(input_tokens=1_000_000)
    assert send(event, secret) == ["accepted"]
    roll_up()
    before = sorted(DailyCost.objects.values_list("line_item", "quantity", "amount"))
    forged = {"corrects": "never-existed", "input_tokens": -TRILLION, "output_tokens": -TRILLION}
    attack = [make_event(id="forged", **forged), correction_of(event, input_tokens=-1)]
    assert send(attack, secret) == ["correction_forbidden", "correction_forbidden"]
    roll_up()
    assert sorted(DailyCost.objects.values_list("line_item", "quantity", "amount")) == before
    assert num_events() == 1


def test_what_no_event_is_stored_for_is_not_corrected(token: str, event: dict[str, Any]) -> None:
    assert send(correction_of(event, input_tokens=-TRILLION), token) == ["corrected_event_unknown"]
    assert send(event, token) == ["accepted"]
    others = [
        correction_of(event, corrects="event-0", input_tokens=-1),
        correction_of(event, timestamp=days_ago(2), input_tokens=-1),
    ]
    assert send(others, token) == ["corrected_event_unknown"] * 2
    assert num_events() == 1


def test_an_event_of_another_organization_or_key_is_not_corrected(
    token: str, world: World, event: dict[str, Any]
) -> None:
    send(event, token)
    foreign, colleague = make_key(world.charlie), make_key(world.bob)
    others = [
        correction_of(event, id="a", api_key_id=foreign.public_id, input_tokens=-1),
        correction_of(event, id="b", api_key_id=colleague.public_id, input_tokens=-1),
    ]
    assert send(others, token) == ["corrected_event_unknown", "corrects_other_key"]
    assert num_events() == 1


@pytest.mark.parametrize(
    "change",
    [{"model": "gpt-4o-mini"}, {"service_tier": "flex"}, {"batch": True}, {"usage_type": "images"}],
    ids=repr,
)
def test_an_event_of_another_sku_is_not_corrected_and_no_sku_is_made_for_it(
    token: str, event: dict[str, Any], change: dict[str, Any]
) -> None:
    send(event, token)
    assert send(correction_of(event, input_tokens=-1, **change), token) == ["corrects_other_sku"]
    assert (Model.objects.count(), Sku.objects.count(), num_events()) == (1, 1, 1)


def test_a_correction_is_not_corrected(token: str, event: dict[str, Any]) -> None:
    first = correction_of(event, input_tokens=-10)
    assert send([event, first], token) == ["accepted", "accepted"]
    assert send(correction_of(first, input_tokens=5), token) == ["corrects_a_correction"]
    assert send(correction_of(event, id="fix-2", input_tokens=5), token) == ["accepted"]


# How much


def test_all_corrections_together_take_away_no_more_than_there_is(token: str, event: dict[str, Any]) -> None:
    send(event, token)
    steps = [-60, -60, -40, -1, 5, -5, -1]
    fixes = [correction_of(event, id=f"fix-{n}", input_tokens=step) for n, step in enumerate(steps)]
    expected = ["accepted", "overcorrected", "accepted", "overcorrected", "accepted", "accepted", "overcorrected"]
    assert send(fixes[:4], token) == expected[:4]
    assert [send(fix, token)[0] for fix in fixes[4:]] == expected[4:]
    assert left() == 0


@pytest.mark.parametrize("measure", ["num_model_requests", "output_tokens", "input_cached_tokens"])
def test_no_measure_goes_below_zero(token: str, event: dict[str, Any], measure: str) -> None:
    fixes = [correction_of(event, id=f"fix-{step}", **{measure: step}) for step in (-TRILLION, -21)]
    assert send([event, *fixes], token) == ["accepted", "overcorrected", "overcorrected"]


def test_what_is_left_of_the_whole_still_holds_its_parts(token: str, event: dict[str, Any]) -> None:
    event["input_cached_tokens"] = 80
    whole, both = {"input_tokens": -30}, {"input_tokens": -30, "input_cached_tokens": -10}
    fixes = [correction_of(event, id="whole", **whole), correction_of(event, id="both", **both)]
    assert send([event, *fixes], token) == ["accepted", "parts_exceed_whole", "accepted"]


def test_corrections_add_up_to_no_more_than_an_event_may_have(token: str, event: dict[str, Any], settings: Any) -> None:
    settings.USAGE_EVENT_MAX_MEASURE = 1_000
    fixes = [correction_of(event, id=f"fix-{step}", input_tokens=step) for step in (900, 1, 1_001)]
    assert send([event, *fixes], token) == ["accepted", "accepted", "measure_too_large", "measure_too_large"]


# Again, together, at once


def test_a_correction_sent_again_is_a_duplicate_and_with_other_content_a_conflict(
    token: str, event: dict[str, Any]
) -> None:
    fix = correction_of(event, input_tokens=-100, output_tokens=-20)
    assert send([event, fix, fix], token) == ["accepted", "accepted", "duplicate"]
    assert send([fix, event], token) == ["duplicate", "duplicate"]
    for change in ({"input_tokens": -99}, {"model": "gpt-4o-mini"}, {"corrects": "event-0"}):
        assert send({**fix, **change}, token) == ["conflict"]
    assert num_events() == 2
    assert left() == 0


def test_a_correction_may_come_with_its_event_in_any_order_and_beside_bad_neighbours(
    token: str, event: dict[str, Any]
) -> None:
    fix = correction_of(event, input_tokens=-100)
    bad = {**event, "id": "bad", "model": ""}
    assert send([fix, bad, event], token) == ["accepted", "invalid_model", "accepted"]
    assert left() == 0


def test_an_id_of_an_event_is_no_id_for_a_correction(token: str, event: dict[str, Any]) -> None:
    other = {**event, "id": "event-2"}
    taken = correction_of(event, id="event-2", input_tokens=-1)
    assert send([taken, event, other], token) == ["conflict", "accepted", "accepted"]
    assert num_events() == 2


def test_ten_thousand_corrections_of_one_request_are_each_weighed(token: str, key: APIKey) -> None:
    events = [make_event(id=f"event-{n}", api_key_id=key.public_id) for n in range(5_000)]
    assert set(send(events, token)) == {"accepted"}
    fixes = [correction_of(event, input_tokens=-100) for event in events]
    more = [correction_of(event, id=f"more-{event['id']}", input_tokens=-1) for event in events]
    assert Counter(send(fixes + more, token)) == {"accepted": 5_000, "overcorrected": 5_000}
    assert Counter(send(fixes, token)) == {"duplicate": 5_000}
    assert left() == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_requests_at_once_the_second_waits_and_sees_what_the_first_has_left(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    event = make_event(api_key_id=key.public_id)
    assert send(event, token) == ["accepted"]

    def correct() -> list[str]:
        try:
            return send(correction_of(event, id="second", input_tokens=-60), token)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():  # not committed yet
            assert send(correction_of(event, id="first", input_tokens=-60), token) == ["accepted"]
            second = threads.submit(correct)
            with pytest.raises(TimeoutError):
                second.result(timeout=1)
        assert second.result(timeout=30) == ["overcorrected"]
    assert left() == 40


@pytest.mark.django_db(transaction=True)
def test_the_same_corrections_from_several_senders_at_once_count_once(world: World) -> None:
    token, key = make_token(), make_key(world.rita)
    events = [make_event(id=f"event-{n}", api_key_id=key.public_id) for n in range(40)]
    fixes = [correction_of(event, input_tokens=-60) for event in events]
    start_together = threading.Barrier(4)

    def send_all(_: int) -> list[str]:
        start_together.wait()
        try:
            return send([*events, *fixes], token)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        outcomes = Counter(outcome for answer in threads.map(send_all, range(4)) for outcome in answer)
    assert outcomes == {"accepted": 80, "duplicate": 240}
    assert (num_events(), left()) == (80, 40 * 40)


# Where it counts


def test_a_small_correction_of_a_long_request_is_priced_like_the_request(token: str, key: APIKey) -> None:
    event = make_event(api_key_id=key.public_id, model="gemini-2.5-pro", input_tokens=300_000)
    assert send(event, token) == ["accepted"]
    assert send(correction_of(event, input_tokens=-100), token) == ["accepted"]
    assert Sku.objects.values_list("context_band", flat=True).get() > 200_000
    assert UsageEvent.objects.values("sku_id").distinct().count() == 1


def test_a_correction_counts_where_its_event_counts_whatever_was_switched_since(token: str, world: World) -> None:
    join(world.rita, world.labs, role="reader")
    key = make_key(world.rita)
    event = make_event(api_key_id=key.public_id, timestamp=database_now() + timedelta(seconds=200))
    assert send(event, token) == ["accepted"]
    with routing_change() as now:
        set_default_organization(user=world.rita, organization=world.labs, now=now)
    fix = correction_of(event, input_tokens=-100)
    assert send(fix, token) == ["accepted"]
    assert send(fix, token) == ["duplicate"]
    assert send(correction_of(event, id="more", input_tokens=-1), token) == ["overcorrected"]
    assert UsageEvent.objects.values("organization_id", "routing", "user_id").distinct().count() == 1
