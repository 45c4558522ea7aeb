"""Usage of each part that a budget may be about; what a process remembers of budgets is forgotten."""

from collections.abc import Iterator

import pytest

from accounts.clock import database_now
from accounts.models import Attribute, Project
from apikeys.models import APIKey
from billing.budgets import blocks
from metering.attribution_models import PROJECT, AttributeValue
from tests.billing.budgets.parts import add_value
from tests.money import set_price, use
from tests.usage.rollup_rows import add_usage, sku_of
from tests.world import LONG_AGO, World


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    blocks.forget()
    yield
    blocks.forget()


@pytest.fixture
def spent(world: World, key: APIKey) -> World:
    """Rita's key used model `m` for $10 today, for project Search and team a; other usage of Acme's costs $90."""
    today = database_now().date()
    set_price("m", "0.01")
    search = Project.objects.create(organization=world.acme, name="Search")
    Project.objects.create(organization=world.acme, name="Default project", is_default=True)
    team = Attribute.objects.create(organization=world.acme, name="team", title="Team", declared_at=LONG_AGO)
    a = AttributeValue.objects.create(value="a")
    set_price("n", "0.01")
    add_usage(world.acme, today, world.rita, key, sku_of("m"), input_tokens=1_000)
    for attribute_id, value_id in ((PROJECT, search.pk), (team.pk, a.pk)):
        add_value(world.acme, attribute_id, value_id, 1_000)
    use(world.acme, today, "m")
    use(world.acme, today, "n", input_tokens=9_000)
    return world
