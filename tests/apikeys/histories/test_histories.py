"""`apikeys.histories`: what is read of a history is bounded, and answers for every moment at which usage may come in."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random

import pytest
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import DefaultOrganizationChange, Membership, Organization, User
from apikeys.histories import histories
from apikeys.models import APIKey, KeyAttribution, TrackingChange
from apikeys.routing import KeyHistory, NotAMemberError, earlier_homes, purpose_of_key, route
from metering.intake.history.reach import Reach
from tests.engine import make_key
from tests.usage.what_for import make_project
from tests.world import LONG_AGO, World, join

pytestmark = pytest.mark.django_db
MANY = 400


def days_ago(now: datetime, days: Iterable[float]) -> list[datetime]:
    return sorted(now - timedelta(days=number) for number in days)


def switch(api_key: APIKey, moments: list[datetime]) -> None:
    """Off and on again at these moments."""
    TrackingChange.objects.bulk_create(
        TrackingChange(api_key=api_key, tracked=number % 2 == 1, effective_at=moment)
        for number, moment in enumerate(moments)
    )


def move(user: User, moments: list[datetime], to: list[Organization]) -> None:
    """Their default organization is another of these at each of the moments."""
    DefaultOrganizationChange.objects.bulk_create(
        DefaultOrganizationChange(user=user, organization=to[number % len(to)], effective_at=moment)
        for number, moment in enumerate(moments)
    )


def come_and_go(user: User, organization: Organization, moments: list[datetime]) -> None:
    """In from the first moment to the second, and so on; who came in last stays."""
    Membership.objects.bulk_create(
        Membership(organization=organization, user=user, role="reader", joined_at=joined_at, left_at=left_at)
        for joined_at, left_at in zip(moments[::2], [*moments[1::2], None], strict=False)
    )


def choose(api_key: APIKey, organization: Organization, moments: list[datetime]) -> None:
    project = make_project(organization, "Checkout")
    KeyAttribution.objects.bulk_create(
        KeyAttribution(
            api_key=api_key,
            organization=organization,
            project=project if number % 2 else None,
            attributes={"team": f"t{number}"},
            effective_at=moment,
        )
        for number, moment in enumerate(moments)
    )


def whole(api_key: APIKey) -> KeyHistory:
    """The history with every row that there is."""
    rows = Membership.objects.filter(user=api_key.user).order_by("-organization__is_personal", "joined_at", "pk")
    attributions: dict[int, list[tuple[datetime, int, dict[str, str]]]] = {}
    for row in KeyAttribution.objects.filter(api_key=api_key).order_by("effective_at"):
        attributions.setdefault(row.organization_id, []).append((row.effective_at, row.project_id or 0, row.attributes))
    defaults = api_key.user.default_organization_changes.order_by("effective_at")
    return KeyHistory(
        id=api_key.pk,
        public_id=api_key.public_id,
        user_id=api_key.user_id,
        defaults=tuple(defaults.values_list("effective_at", "organization")),
        tracking=tuple(api_key.tracking_changes.order_by("effective_at").values_list("effective_at", "tracked")),
        memberships=tuple(rows.values_list("organization", "joined_at", "left_at")),
        ended_at=None,
        attributions=attributions,
    )


def routed(key: KeyHistory, organizations: list[Organization], at: datetime) -> list[object]:
    """All that ingest asks of a history about an event of this moment."""
    found: list[object] = [earlier_homes(key, at=at, ahead=timedelta(minutes=5))]
    for named in (None, *(organization.pk for organization in organizations)):
        try:
            found.append(route(key, named=named, at=at))
        except NotAMemberError:
            found.append(None)
    return found + [purpose_of_key(key, organization.pk, at) for organization in organizations]


def test_of_what_is_older_than_usage_may_be_the_first_and_the_last_state_are_read(world: World) -> None:
    key, now = make_key(world.rita), database_now()
    old, recent = days_ago(now, [200 + number / MANY for number in range(MANY)]), days_ago(now, (3, 2, 1))
    switch(key, [*old, *recent])
    join(world.rita, world.labs, role="reader")
    move(world.rita, [*old, *recent], [world.labs, world.acme])
    come_and_go(world.rita, world.japan, [*old, *recent])
    choose(key, world.acme, [*old, *recent])
    (found,) = histories.of_keys([key])
    assert [moment for moment, _ in found.tracking] == [key.created_at, old[-1], *recent]
    assert [moment for moment, _ in found.defaults[1:]] == [old[-1], *recent]
    in_japan = [joined_at for organization, joined_at, _ in found.memberships if organization == world.japan.pk]
    assert in_japan == [old[0], recent[0], recent[2]]
    assert [moment for moment, *_ in found.attributions[world.acme.pk]] == [old[-1], *recent]


@pytest.mark.parametrize("seed", range(12))
def test_what_is_read_routes_all_usage_as_the_whole_history_does(world: World, settings: Settings, seed: int) -> None:
    random, now = Random(seed), database_now()
    settings.USAGE_EVENT_MAX_AGE_DAYS, settings.USAGE_EVENT_RETENTION_DAYS = random.choice([(20, 30), (30, 10)])
    key = make_key(world.rita)

    def moments(most: int) -> list[datetime]:
        return days_ago(
            now, {random.choice((0.001, 0.002, random.uniform(0, 90))) for _ in range(random.randint(0, most))}
        )

    switch(key, moments(9))
    come_and_go(world.rita, world.labs, moments(9) or days_ago(now, (80,)))
    move(world.rita, moments(9), [world.labs, world.acme])
    for organization in (world.acme, world.labs):
        choose(key, organization, moments(9))
    (read,), expected, places = histories.of_keys([key]), whole(key), [world.acme, world.labs]
    oldest = Reach.at(now, invoiced=frozenset()).oldest
    edges = {oldest, now - timedelta(days=settings.USAGE_EVENT_MAX_AGE_DAYS), now, now + timedelta(minutes=5)}
    edges |= {moment for moment, *_ in (*expected.tracking, *expected.defaults)}
    edges |= {moment for one in expected.memberships for moment in one[1:] if moment is not None}
    edges |= {moment for changes in expected.attributions.values() for moment, *_ in changes}
    for edge in edges:
        for at in (edge - timedelta(microseconds=1), edge, edge + timedelta(seconds=random.randint(0, 300))):
            if at >= oldest:
                assert routed(read, places, at) == routed(expected, places, at), at


def test_each_home_before_many_switches_is_looked_at_once() -> None:
    second, day = timedelta(seconds=1), timedelta(days=1)
    switches = tuple((LONG_AGO + number * second, 1 + number % 2) for number in range(200))
    key = KeyHistory(7, "key_7", 9, switches, ((LONG_AGO, True),), (), None)
    assert earlier_homes(key, at=LONG_AGO + day, ahead=day) == [1, 2]
    assert earlier_homes(key, at=LONG_AGO + day, ahead=second) == []
