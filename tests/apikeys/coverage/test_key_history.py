"""`apikeys.coverage.key_history`: what a page shows of a key's history is bounded, however often somebody has switched."""

from datetime import datetime, timedelta

import pytest

from accounts.clock import database_now
from accounts.models import DefaultOrganizationChange
from apikeys.attribution.attribution import SHOWN
from apikeys.coverage.key_history import history_of
from apikeys.keys.listing import listed
from apikeys.models import APIKey, KeyAttribution, TrackingChange
from tests.engine import make_key
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def moments() -> list[datetime]:
    """More than are shown, the oldest first."""
    now = database_now()
    return [now - timedelta(minutes=number) for number in range(SHOWN + 50, 0, -1)]


@pytest.fixture
def key(world: World, moments: list[datetime]) -> APIKey:
    """Rita's, switched and changed at all of these moments."""
    key = make_key(world.rita)
    for number, moment in enumerate(moments):
        TrackingChange.objects.create(api_key=key, tracked=number % 2 == 1, effective_at=moment)
        KeyAttribution.objects.create(
            api_key=key, organization=world.acme, attributes={"team": f"t{number}"}, effective_at=moment
        )
        DefaultOrganizationChange.objects.create(
            user=world.rita, organization=(world.labs, world.acme)[number % 2], effective_at=moment
        )
    return key


def test_the_latest_changes_of_each_kind_are_shown_and_the_first_state(
    world: World, key: APIKey, moments: list[datetime]
) -> None:
    shown = history_of(key, world.acme, names_others=True)
    for sentence in ("Tracking", "default organization", "Project"):
        of_kind = [change.moment for change in shown if sentence in change.sentence]
        assert of_kind == [*moments[::-1][:SHOWN], None]


def test_what_began_later_is_not_counted_among_the_latest(world: World, key: APIKey, moments: list[datetime]) -> None:
    until = moments[9]
    shown = history_of(key, world.acme, names_others=True, until=until)
    for sentence in ("Tracking", "default organization", "Project"):
        of_kind = [change.moment for change in shown if sentence in change.sentence]
        assert of_kind == [*moments[9::-1], None]


def test_a_list_of_keys_says_what_was_switched_and_chosen_last(
    world: World, key: APIKey, moments: list[datetime]
) -> None:
    world.rita.default_organization = world.acme
    untouched = make_key(world.rita, "Untouched")
    first, second = listed(world.rita, [key, untouched], now=database_now())
    assert (first.switched_at, second.switched_at) == (moments[-1], None)
