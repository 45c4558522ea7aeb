"""Most events are packed in one go, others part by part: the rows are the same bytes, and read back as what was sent."""

import pytest

from metering.intake import copy_rows
from metering.intake.admission import Admission
from metering.measures import MEASURES
from metering.models import UsageEvent
from tests.engine import make_event, make_key, make_token, send
from tests.world import World

MOMENT = 830_000_000_000_000
BATCH = 7


@pytest.mark.parametrize("reasoning", [0, 1, 2**62])
@pytest.mark.parametrize("cached", [0, 1, 2**62])
def test_both_ways_of_packing_make_the_same_row(cached: int, reasoning: int) -> None:
    organization, caller = copy_rows.organization_part(1), copy_rows.caller_part(2, 3, 4, 5)
    sku, event_id = copy_rows.sku_part(6), b"e" * 16
    measures = {
        **dict.fromkeys(MEASURES, 0),
        "num_model_requests": 1,
        "input_tokens": 2**62 + 1,
        "output_tokens": 2**62 + 2,
        "input_cached_tokens": cached,
        "output_reasoning_tokens": reasoning,
    }
    plain = copy_rows.plain_row(
        *(organization, MOMENT, event_id, caller, sku, copy_rows.batch_part(BATCH)),
        *(1, 2**62 + 1, cached, 2**62 + 2, reasoning),
    )
    row = copy_rows.any_row(organization, MOMENT, event_id, caller, sku, BATCH, None, list(measures.values()))
    assert plain == row


@pytest.mark.django_db
def test_what_most_events_report_never_takes_the_longer_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    token, key = make_token(), make_key(world.rita).public_id
    event = make_event(api_key_id=key, input_tokens=900, output_tokens=70)
    assert send({**event, "id": "first"}, token) == ["accepted"]
    monkeypatch.delattr(Admission, "_admit_others")
    said = [(cached, reasoning) for cached in (0, 900) for reasoning in (0, 1, 70)]
    events = [
        {**event, "id": f"{cached}-{reasoning}", "input_cached_tokens": cached, "output_reasoning_tokens": reasoning}
        for cached, reasoning in said
    ]
    assert send(events, token) == ["accepted"] * len(said)
    stored = UsageEvent.objects.values_list("input_cached_tokens", "output_reasoning_tokens", "output_tokens")
    assert sorted((cached or 0, reasoning or 0, output) for cached, reasoning, output in stored) == sorted(
        [(0, 0, 70), *((cached, reasoning, 70) for cached, reasoning in said)]
    )


@pytest.mark.django_db
def test_more_reasoning_than_output_is_refused_by_either_way(world: World) -> None:
    token, key = make_token(), make_key(world.rita).public_id
    for number in range(2):
        good = make_event(id=f"good-{number}", api_key_id=key, output_tokens=5, output_reasoning_tokens=5)
        bad = {**good, "id": f"bad-{number}", "output_reasoning_tokens": 6}
        assert send([good, bad], token) == ["accepted", "parts_exceed_whole"]
