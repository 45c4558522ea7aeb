"""Whose price it is comes before how special it is: what people set is not undercut by the default price list."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import DailyCost, LineItem
from billing.prices import rerating
from billing.prices.rerating import Terms
from metering.models import Model
from tests.engine import make_event, make_key, make_token, num_events, roll_up, send
from tests.money import ACTOR
from tests.world import World

pytestmark = pytest.mark.django_db
MILLION = 1_000_000
LONG_AGO = date(2026, 1, 1)


def set_price(model: str, per_million: str | None, **scope: Any) -> None:
    """As staff do on the price page: input of the model, every scope “Any” but those that are named."""
    terms = Terms(
        model=Model.objects.filter(name=model).first() or Model(name=model),
        line_item=LineItem.INPUT,
        effective_date=LONG_AGO,
        unit_price=None if per_million is None else Decimal(per_million) / MILLION,
        **scope,
    )
    rerating.re_rate(rerating.change_price(terms, actor=ACTOR))


def use(world: World, model: str, **fields: Any) -> None:
    event = make_event(
        id=f"x-{num_events()}", api_key_id=make_key(world.rita).public_id, model=model, output_tokens=None, **fields
    )
    assert send(event, make_token(f"gateway {num_events()}")) == ["accepted"]
    roll_up()


def cost() -> Decimal | None:
    """What the latest usage costs."""
    return DailyCost.objects.filter(line_item=LineItem.INPUT).latest("sku_id").amount


@pytest.mark.parametrize("was_used_before", [False, True])
@pytest.mark.parametrize(
    ("model", "per_million", "usage", "dollars"),
    [
        ("gpt-5.1", "9", {"input_tokens": MILLION, "batch": True}, "9"),
        ("gpt-5.1", "9", {"input_tokens": MILLION, "service_tier": "flex"}, "9"),
        ("gemini-2.5-pro", "7", {"input_tokens": 300_000}, "2.10"),
    ],
)
def test_a_price_of_every_request_holds_for_batches_tiers_and_sizes_whatever_came_first(  # noqa: PLR0917 - parameters
    world: World, model: str, per_million: str, usage: dict[str, Any], dollars: str, was_used_before: bool
) -> None:
    if was_used_before:
        use(world, model, input_tokens=1)
    set_price(model, per_million)
    use(world, model, **usage)
    assert cost() == Decimal(dollars)


@pytest.mark.parametrize("was_used_before", [False, True])
def test_an_ended_price_leaves_batches_without_one_too(world: World, was_used_before: bool) -> None:
    if was_used_before:
        use(world, "gpt-5.1", input_tokens=1)
    set_price("gpt-5.1", None)
    for fields in ({"batch": False}, {"batch": True}, {"service_tier": "flex"}):
        use(world, "gpt-5.1", input_tokens=MILLION, **fields)
        assert cost() is None


def test_a_price_that_people_set_for_batches_leaves_the_others_to_the_list(world: World) -> None:
    set_price("gpt-5.1", "1", batch=True)
    use(world, "gpt-5.1", input_tokens=MILLION, batch=True)
    assert cost() == 1
    use(world, "gpt-5.1", input_tokens=MILLION)
    assert cost() == Decimal("1.25")


def test_an_organizations_own_price_that_ended_leaves_its_place_to_the_general_one(world: World) -> None:
    set_price("gpt-5.1", "9")
    set_price("gpt-5.1", None, organization=world.acme)
    use(world, "gpt-5.1", input_tokens=MILLION)
    assert cost() == 9


def test_a_later_price_of_the_list_does_not_take_the_place_of_one_that_people_set(world: World) -> None:
    use(world, "gpt-5.1", input_tokens=1)
    Model.objects.get(name="gpt-5.1").prices.create(
        line_item=LineItem.INPUT, effective_date=date(2026, 2, 1), unit_price=1, source="genai-prices 99"
    )
    set_price("gpt-5.1", "9")
    use(world, "gpt-5.1", input_tokens=MILLION)
    assert cost() == 9
