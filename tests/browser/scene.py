"""What the browser tests look at: Acme with a month of usage and costs up to now, hours and minutes, and a month before."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction

from accounts.clock import database_now
from apikeys.models import APIKey
from billing.models import DailyCost, LineItem
from metering.measures import UsageType
from metering.models import Sku
from tests.usage.rollup_rows import add_hour, add_usage, make_key, sku_of
from tests.world import World, make_world

PLOTLY_NAMES: Final = ("R&D <prod>", "a<br>b", "%{y} share")
SCRIPT_NAME: Final = "<script>alert('model')</script>"
LONG_NAME: Final = ("a-very-long-model-name-that-goes-on-and-on-" * 3)[:128]
NUM_KEYS: Final = 60
PRICE: Final = Decimal("0.0000025")


@dataclass(frozen=True)
class Scene:
    """The world of `tests.world`, the day that it is, and the busiest key. Acme Japan has no usage at all."""

    world: World
    today: date
    key: APIKey


def make_scene() -> Scene:
    """The scene, in the database."""
    with transaction.atomic():
        world = make_world()
        today = database_now().date()
        key = make_key(world.rita, "search-prod")
        _usage(world, key, today)
        return Scene(world, today, key)


def _usage(world: World, key: APIKey, today: date) -> None:
    gpt, o3 = sku_of("gpt-4o"), sku_of("o3")
    first = today.replace(day=1)
    for day in (first + timedelta(days=n) for n in range(today.day)):
        _add(world, day, key, gpt, num_model_requests=100, input_tokens=900_000, output_tokens=100_000)
    _add(world, first - timedelta(days=1), key, gpt, num_model_requests=50, input_tokens=1_000_000)
    _add(world, today, None, o3, num_model_requests=7, input_tokens=2_000_000_000_000, output_tokens=5)
    for model in (SCRIPT_NAME, LONG_NAME):
        _add(world, today, None, sku_of(model), num_model_requests=3, input_tokens=10)
    whisper = sku_of("whisper-1", UsageType.AUDIO_TRANSCRIPTIONS)
    add_usage(world.acme, today, world.bob, None, whisper, num_model_requests=2, seconds=7200)
    ten = datetime(today.year, today.month, today.day, 10, tzinfo=UTC)
    add_hour(world.acme, ten, world.bob, None, whisper, num_model_requests=2, seconds=7200)
    add_usage(world.labs, today, world.alice, None, gpt, num_model_requests=30, input_tokens=70)
    for n in range(NUM_KEYS):
        add_usage(
            world.acme,
            first,
            world.bob,
            make_key(world.bob, f"worker-{n:02d}"),
            sku_of("gpt-4o-mini"),
            num_model_requests=1,
        )


def _add(world: World, day: date, key: APIKey | None, sku: Sku, **measures: int) -> None:
    """A day's usage of Acme with its one hour, 10:00 UTC, and what its input costs."""
    user = key.user if key else world.bob
    add_usage(world.acme, day, user, key, sku, **measures)
    add_hour(world.acme, datetime(day.year, day.month, day.day, 10, tzinfo=UTC), user, key, sku, **measures)
    tokens = measures["input_tokens"]
    DailyCost.objects.create(
        organization_id=world.acme.pk,
        day=day,
        sku_id=sku.pk,
        line_item=LineItem.INPUT,
        quantity=tokens,
        unit_price=PRICE,
        amount=tokens * PRICE,
    )
