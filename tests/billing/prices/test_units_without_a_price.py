"""$0 for a unit is right only where the same event also has the unit that is charged; alone it has no price."""

from decimal import Decimal
from typing import Any

import pytest

from billing.models import DailyCost, LineItem
from metering.models import Sku
from tests.engine import make_event, make_key, make_token, roll_up, send
from tests.money import rate
from tests.world import World

pytestmark = pytest.mark.django_db


def use(world: World, *events: dict[str, Any]) -> None:
    key = make_key(world.rita).public_id
    sent = [
        make_event(api_key_id=key, **{"id": f"x-{n}", "input_tokens": None, "output_tokens": None, **fields})
        for n, fields in enumerate(events)
    ]
    assert set(send(sent, make_token())) == {"accepted"}
    roll_up()


def amounts() -> dict[LineItem, set[Decimal | None]]:
    found: dict[LineItem, set[Decimal | None]] = {}
    for cost in DailyCost.objects.exclude(quantity=0):
        found.setdefault(LineItem(cost.line_item), set()).add(cost.amount)
    return found


@pytest.mark.parametrize(
    ("event", "line_item"),
    [
        ({"usage_type": "audio_transcriptions", "model": "gpt-4o-transcribe", "seconds": 600}, LineItem.SECOND),
        ({"usage_type": "images", "model": "gpt-image-1", "images": 3}, LineItem.IMAGE),
        ({"usage_type": "audio_speeches", "model": "gpt-4o-mini-tts", "characters": 10_000}, LineItem.CHARACTER),
        ({"usage_type": "audio_speeches", "model": "tts-1", "input_tokens": 1_000}, LineItem.INPUT),
        ({"usage_type": "audio_transcriptions", "model": "whisper-1", "input_tokens": 1_000}, LineItem.INPUT),
    ],
)
def test_usage_in_a_unit_that_is_not_charged_has_no_price(
    world: World, event: dict[str, Any], line_item: LineItem
) -> None:
    use(world, event)
    assert amounts() == {line_item: {None}}


@pytest.mark.parametrize(
    ("event", "dollars"),
    [
        (
            {"usage_type": "images", "model": "gpt-image-1", "images": 3, "input_tokens": 50, "output_tokens": 1_056},
            "0.04249",
        ),
        (
            {"usage_type": "audio_transcriptions", "model": "gpt-4o-transcribe", "seconds": 600, "input_tokens": 1_000},
            "0.0025",
        ),
        ({"usage_type": "audio_transcriptions", "model": "whisper-1", "seconds": 600, "input_tokens": 1_000}, "0.06"),
    ],
)
def test_beside_the_unit_that_is_charged_the_other_one_costs_nothing(
    world: World, event: dict[str, Any], dollars: str
) -> None:
    use(world, event)
    costs = [cost.amount for cost in DailyCost.objects.all()]
    assert None not in costs
    assert sum(cost or 0 for cost in costs) == Decimal(dollars)


def test_events_with_and_without_the_charged_unit_are_told_apart_on_the_same_day(world: World) -> None:
    images = {"usage_type": "images", "model": "gpt-image-1", "images": 3}
    use(world, images, {**images, "input_tokens": 50, "output_tokens": 1_056})
    assert amounts()[LineItem.IMAGE] == {None, Decimal(0)}


def test_usage_from_before_they_were_told_apart_keeps_its_price(world: World) -> None:
    images = {"usage_type": "images", "model": "gpt-image-1", "images": 3}
    use(world, images)
    Sku.objects.update(in_both_units=None)
    with_zero = DailyCost.objects.get()
    assert with_zero.amount is None
    rate(world.acme, with_zero.day)
    assert DailyCost.objects.get().amount == 0
