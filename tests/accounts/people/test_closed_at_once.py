"""An account that is closed while others change where its person is, or ask them something."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connection

from accounts.audit.audit import Actor
from accounts.changes import change, routing_change
from accounts.clock import database_now
from accounts.members import invitations
from accounts.models import Invitation, Membership, Organization, User
from accounts.organizations import organizations
from accounts.people import support
from apikeys.coverage import coverage
from tests.database.at_once import at_once
from tests.database.waiting import until_somebody_waits

ACTOR = Actor(name="a test")


def make_admins(number: int) -> tuple[Organization, list[User]]:
    """An organization, and so many of its admins, each of whom has invited somebody."""
    with routing_change() as now:
        owner = organizations.create_user(email="owner@example.test", now=now)
        shared = organizations.create_organization(name="Shared", owner=owner, now=now)
        admins = [organizations.create_user(email=f"admin{one}@example.test", now=now) for one in range(number)]
        for admin in admins:
            organizations.add_member(organization=shared, user=admin, role="admin", now=now)
            invite(shared, admin)
    return shared, admins


def invite(organization: Organization, by: User) -> None:
    invitations.invite(
        organization=organization,
        email=f"friend-of-{by.email}",
        role="reader",
        invited_by=by,
        now=database_now(),
        actor=Actor(user=by),
    )


def close(user: User) -> None:
    """As staff's page does it."""
    with change():
        support.deactivate(support.locked_to_deactivate(user), actor=ACTOR)


@pytest.mark.django_db(transaction=True)
def test_who_leaves_and_is_asked_and_whose_account_is_closed_at_the_same_moment() -> None:
    shared, admins = make_admins(30)

    def remove(number: int) -> None:
        with routing_change(admins[number]) as now:
            organizations.remove_member(organization=shared, user=admins[number], now=now, actor=ACTOR)

    def ask(number: int) -> None:
        """As the page of keys does it, which judges first who asks."""
        with change() as now:
            organizations.locked(shared)
            coverage.ask(organization=shared, user=admins[number], actor=ACTOR, now=now)

    at_once(remove, ask, lambda number: close(admins[number]))
    assert Membership.objects.filter(organization=shared, left_at__isnull=True).count() == 1
    assert not User.objects.filter(pk__in=[admin.pk for admin in admins], is_active=True).exists()
    assert not Invitation.objects.filter(revoked_at__isnull=True).exists()


@pytest.mark.django_db(transaction=True)
def test_who_invites_while_their_account_is_closed_has_invited_nobody() -> None:
    shared, (admin,) = make_admins(1)
    Invitation.objects.all().delete()

    def send() -> None:
        try:
            with suppress(organizations.ChangeRefusedError), change():
                invite(shared, admin)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with change():
            found = support.locked_to_deactivate(admin)
            sent = threads.submit(send)
            until_somebody_waits()
            support.deactivate(found, actor=ACTOR)
        sent.result(timeout=30)
    assert not Invitation.objects.exists()
