"""Models that are new to the price book are priced beside the rollups: thousands of them keep nobody's usage waiting."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, Tier, TieredPrices
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import User
from billing.alerts import Delivery
from billing.budgets.budgets import set_budget
from billing.models import DailyCost, Price, PriceSource
from billing.prices import new_models, rating
from billing.waiting import WaitingUsage
from metering.models import FailedItem, Model
from tests.engine import make_event, make_key, make_token, send
from tests.money import ACTOR
from tests.usage.rollup_proof import drift
from tests.world import World, make_world

pytestmark = pytest.mark.django_db
NUM_NAMES = 10_000
TOKENS = {"input_tokens": 1_000_000, "output_tokens": 0}


def use(user: User, models: Iterable[str], **fields: int) -> None:
    """An event of each model, of a key of the user."""
    measures = {**TOKENS, "api_key_id": make_key(user).public_id, **fields}
    events = [make_event(id=f"{user.pk}-{model}-{n}", model=model, **measures) for n, model in enumerate(models)]
    assert set(send(events, make_token(f"gateway of {user.pk}"))) == {"accepted"}


def roll_up() -> float:
    """The seconds that a rollup takes; prices are another task's."""
    started = time.monotonic()
    rating.roll_up_and_rate()
    return time.monotonic() - started


def amounts() -> dict[str, Decimal | None]:
    """Model → what its input cost."""
    names = dict(Model.objects.values_list("skus__id", "name"))
    return {names[cost.sku_id]: cost.amount for cost in DailyCost.objects.filter(line_item=1)}


@pytest.mark.django_db(transaction=True)
def test_a_new_model_counts_at_once_and_gets_its_price_from_the_next_run() -> None:
    world = make_world()
    use(world.rita, ["gpt-4o", "nobody-knows"])
    roll_up()
    assert amounts() == {"gpt-4o": None, "nobody-knows": None}
    assert drift() == {}
    assert new_models.price_next() == 2
    assert amounts() == {"gpt-4o": Decimal("2.5"), "nobody-knows": None}
    assert drift() == {}
    assert not WaitingUsage.objects.exists()
    assert new_models.price_next() == 0
    assert PriceSource.objects.count() == 2


def test_usage_that_comes_once_a_model_is_priced_does_not_wait(world: World) -> None:
    use(world.rita, ["gpt-4o"])
    roll_up()
    new_models.price_next()
    use(world.bob, ["gpt-4o"])
    roll_up()
    assert amounts() == {"gpt-4o": Decimal(5)}
    assert not WaitingUsage.objects.exists()


def test_one_organizations_first_new_model_comes_before_anothers_second(world: World, settings: Settings) -> None:
    settings.PRICE_MODELS_AT_ONCE = 2
    use(world.rita, [f"nobody-knows-{n}" for n in range(50)])
    use(world.charlie, ["gpt-4o"])
    roll_up()
    assert new_models.price_next() == 2
    assert amounts()["gpt-4o"] == Decimal("2.5")
    assert new_models.price_all() == 49


@pytest.fixture
def broken() -> Iterator[str]:
    """A model whose entry in the list has a size of context by which events are not told apart."""
    tiers = TieredPrices(base=Decimal(1), tiers=[Tier(start=7, price=Decimal(2))])
    entry = ModelInfo(id="broken", match=ClauseEquals(equals="broken"), prices=ModelPrice(input_mtok=tiers))
    others = [provider for provider in get_snapshot().providers if provider.id == "openai"]
    provider = replace(others[0], id="breaks", model_match=entry.match, models=[entry])
    set_custom_snapshot(DataSnapshot(providers=[provider, *others], from_auto_update=False))
    yield entry.id
    set_custom_snapshot(None)


def test_a_name_on_which_the_look_up_fails_stops_none_of_the_others(world: World, broken: str) -> None:
    use(world.rita, [broken, "gpt-4o"])
    roll_up()
    assert new_models.price_all() == 1
    assert amounts() == {broken: None, "gpt-4o": Decimal("2.5")}
    assert FailedItem.objects.get().item == broken
    set_custom_snapshot(None)
    assert new_models.price_all() == 0  # its next attempt is not due yet
    FailedItem.objects.update(next_attempt_at=database_now())
    assert new_models.price_all() == 1
    assert not FailedItem.objects.exists()
    assert not WaitingUsage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_prices_that_the_database_refuses_stop_none_of_the_others() -> None:
    world = make_world()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.provider_model = 'o3' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON billing_pricesource FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    try:
        use(world.rita, ["o3", "gpt-4o"])
        roll_up()
        assert new_models.price_next() == 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuse ON billing_pricesource; DROP FUNCTION refuse()")
    assert amounts() == {"o3": None, "gpt-4o": Decimal("2.5")}
    assert FailedItem.objects.get().item == "o3"


def test_a_budget_sees_what_a_new_model_costs_once_it_has_its_price(world: World) -> None:
    set_budget(world.acme, amount=Decimal(1), thresholds=[100], is_hard=False, actor=ACTOR)
    use(world.rita, ["gpt-4o"], timestamp=int(database_now().timestamp()))
    roll_up()
    assert not Delivery.objects.exists()
    new_models.price_next()
    assert Delivery.objects.exists()


def test_ten_thousand_new_names_keep_the_others_usage_waiting_for_no_longer_than_known_names(
    world: World, settings: Settings
) -> None:
    """The names are rolled up in the time that the same usage of them takes once they are known, or little more."""
    settings.NEW_MODELS_PER_DAY = settings.NEW_SKUS_PER_DAY = NUM_NAMES
    use(world.rita, [f"nobody-knows-{n}" for n in range(NUM_NAMES)])
    new = roll_up()
    use(world.bob, [f"nobody-knows-{n}" for n in range(NUM_NAMES)])
    again = roll_up()
    assert new <= 2 * again
    assert not Price.objects.exists()
