"""A default organization is one that its user is in: in the database, in a race, and for what an old history says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from threading import Barrier

import pytest
from django.db import IntegrityError, connection
from pytest_django import Settings

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import AuditEvent, DefaultOrganizationChange, Membership, User
from accounts.organizations import organizations
from apikeys.routing import KeyHistory, NotAMemberError, Route, route
from tests.world import LONG_AGO, World, join

RACES = 24
ACME, PERSONAL, LABS = 1, 2, 3
LEFT = datetime(2026, 11, 10, tzinfo=UTC)
BEFORE, AFTER = LEFT.replace(day=9), LEFT.replace(day=11)
IN_ACME = (ACME, LONG_AGO, LEFT)


def history(*memberships: tuple[int, datetime, datetime | None]) -> KeyHistory:
    """The key of a user whose default organization is Acme for all times, whatever the memberships say."""
    return KeyHistory(7, "key_7", 9, ((LONG_AGO, ACME),), ((LONG_AGO, True),), memberships, None)


def constraints_hold() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def leave_acme(world: World) -> None:
    Membership.objects.filter(user=world.rita, organization=world.acme).update(left_at=database_now())


def delete_membership(world: World) -> None:
    Membership.objects.filter(user=world.rita, organization=world.acme).delete()


def move_to_labs(world: World) -> None:
    User.objects.filter(pk=world.rita.pk).update(default_organization=world.labs)


@pytest.mark.parametrize("break_it", [leave_acme, delete_membership, move_to_labs])
def test_the_database_refuses_a_default_organization_that_the_user_is_not_in(
    world: World, break_it: Callable[[World], None]
) -> None:
    constraints_hold()
    break_it(world)
    with pytest.raises(IntegrityError, match="must be one that they are in"):
        constraints_hold()


def test_the_database_judges_when_the_transaction_ends(world: World) -> None:
    move_to_labs(world)
    join(world.rita, world.labs, role="reader")
    leave_acme(world)
    constraints_hold()


def remove(world: World, ready: Barrier) -> None:
    """As Alice's page does it: Rita is read before anything is locked."""
    try:
        rita = User.objects.get(pk=world.rita.pk)
        ready.wait()
        with routing_change(rita) as now:
            organizations.remove_member(organization=world.acme, user=rita, now=now)
    finally:
        connection.close()


def make_default(world: World, ready: Barrier) -> None:
    """As Rita's page does it. Too late, she is told that she is not in Acme any more."""
    try:
        rita = User.objects.get(pk=world.rita.pk)
        ready.wait()
        with routing_change(rita) as now:
            organizations.set_default_organization(user=rita, organization=world.acme, now=now)
    except organizations.NotAMemberError:
        return
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_who_is_removed_while_they_switch_to_the_organization_does_not_keep_it(
    world: World, settings: Settings
) -> None:
    settings.JOINS_PER_DAY = RACES
    join(world.rita, world.labs, role="reader")
    with ThreadPoolExecutor(2) as threads:
        for _ in range(RACES):
            with routing_change(world.rita) as now:
                organizations.set_default_organization(user=world.rita, organization=world.labs, now=now)
                if not Membership.objects.filter(
                    user=world.rita, organization=world.acme, left_at__isnull=True
                ).exists():
                    organizations.add_member(organization=world.acme, user=world.rita, role="reader", now=now)
            ready = Barrier(2, timeout=10)
            for racing in [threads.submit(remove, world, ready), threads.submit(make_default, world, ready)]:
                racing.result()
            world.rita.refresh_from_db()
            assert world.rita.default_organization == world.labs
            last = DefaultOrganizationChange.objects.filter(user=world.rita).order_by("effective_at").last()
            assert last is not None
            assert last.organization == world.labs


@pytest.mark.parametrize(
    ("memberships", "at", "home"),
    [
        ([IN_ACME], BEFORE, ACME),
        ([IN_ACME, (PERSONAL, LONG_AGO, None)], BEFORE, ACME),
        # after leaving: the next one in order that they were in at that time
        ([IN_ACME, (PERSONAL, LONG_AGO, None), (LABS, LONG_AGO, None)], AFTER, PERSONAL),
        ([(PERSONAL, AFTER, None), IN_ACME, (LABS, LONG_AGO, None)], LEFT, LABS),
        ([IN_ACME, (LABS, LONG_AGO, BEFORE), (PERSONAL, LONG_AGO, None)], LEFT, PERSONAL),
        # back again
        ([IN_ACME, (ACME, AFTER, None), (PERSONAL, LONG_AGO, None)], LEFT, PERSONAL),
        ([IN_ACME, (ACME, AFTER, None), (PERSONAL, LONG_AGO, None)], AFTER, ACME),
        # the first default organization also holds for the times before its user joined it
        ([(ACME, LEFT, None), (PERSONAL, LONG_AGO, None)], BEFORE, ACME),
    ],
)
def test_usage_never_goes_to_an_organization_that_the_user_had_left(
    memberships: list[tuple[int, datetime, datetime | None]], at: datetime, home: int
) -> None:
    assert route(history(*memberships), named=None, at=at) == (home, Route.DEFAULT | Route.TRACKED)


@pytest.mark.parametrize("memberships", [[IN_ACME], [IN_ACME, (LABS, LONG_AGO, BEFORE)], []])
def test_usage_of_somebody_who_was_nowhere_is_refused(
    memberships: list[tuple[int, datetime, datetime | None]],
) -> None:
    with pytest.raises(NotAMemberError):
        route(history(*memberships), named=None, at=AFTER)


def test_the_migration_moves_those_who_have_left_their_default_organization(world: World) -> None:
    join(world.rita, world.labs, role="reader")
    join(world.rita, world.japan, role="reader", joined_at=LONG_AGO.replace(year=2024))
    leave_acme(world)
    migration = import_module("accounts.migrations.0006_routing_changes")
    with connection.cursor() as cursor:
        cursor.execute(migration.MOVE_HOME)
    world.rita.refresh_from_db()
    assert world.rita.default_organization == world.labs
    changes = DefaultOrganizationChange.objects.filter(user=world.rita).order_by("effective_at")
    assert [change.organization for change in changes] == [world.acme, world.labs]
    told = AuditEvent.objects.filter(target_id=world.rita.public_id).values_list("organization__slug", "event")
    assert set(told) == {
        ("acme", "user.default_organization.removed"),
        ("acme-labs", "user.default_organization.added"),
    }
    world.bob.refresh_from_db()
    assert world.bob.default_organization == world.acme
