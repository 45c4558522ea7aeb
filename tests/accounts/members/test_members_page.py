"""Members: who is in, their roles, removal; at least one owner, also against two people at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.changes import routing_change
from accounts.models import AuditEvent, Membership, Organization, User
from accounts.organizations import organizations
from apikeys.keys import keys
from tests.world import PASSWORD, World, join, make_user

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/members/"
NEW = datetime(2026, 11, 1, tzinfo=UTC)


def role_of(user: User, organization: Organization) -> str | None:
    membership = Membership.objects.filter(user=user, organization=organization, left_at__isnull=True).first()
    return membership.role if membership else None


def address(user: User, thing: str) -> str:
    return f"{PAGE}{user.public_id}/{thing}/"


def test_the_page_shows_people_with_role_and_the_keys_tracked_here(world: World, client_of: SignIn) -> None:
    for tracked in (True, True, False):
        api_key, _ = keys.create_api_key(user=world.rita, name="Laptop", created_at=NEW)
        if not tracked:
            keys.set_tracking(api_key=api_key, tracked=False, now=NEW)
    page = client_of(world.bob).get(PAGE).content.decode()
    assert "Rita Rao" in page
    assert "rita@acme.test" in page
    assert '<td data-label="Keys tracked here" class="number">2</td>' in page


def test_the_page_needs_the_same_queries_however_many_people_there_are(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        make_user(f"p{number}@acme.test", name=f"P {number}", role="reader", organization=world.acme)
    client = client_of(world.bob)
    with django_assert_max_num_queries(10):
        client.get(PAGE)


def test_an_admin_changes_a_role_and_it_is_logged(world: World, client_of: SignIn) -> None:
    client = client_of(world.bob)
    assert client.post(address(world.rita, "role"), {"role": "admin"}).status_code == 302
    assert role_of(world.rita, world.acme) == "admin"
    event = AuditEvent.objects.get(event="user.updated")
    assert (event.actor, event.organization, event.target_id) == (world.bob, world.acme, world.rita.public_id)
    assert event.details == {"role": "admin", "role_before": "reader"}
    assert event.address == "127.0.0.1"


@pytest.mark.parametrize(("who", "role", "status"), [("rita", "owner", 403), ("alice", "reader", 302)])
def test_an_admin_neither_makes_nor_changes_owners(
    world: World, client_of: SignIn, who: str, role: str, status: int
) -> None:
    user = getattr(world, who)
    before = role_of(user, world.acme)
    assert client_of(world.bob).post(address(user, "role"), {"role": role}).status_code == status
    assert client_of(world.bob).post(address(world.alice, "removal")).status_code == 302
    assert role_of(user, world.acme) == before
    assert role_of(world.alice, world.acme) == "owner"


def test_an_owner_makes_another_owner_after_a_question(world: World, client_of: SignIn) -> None:
    client = client_of(world.alice)
    question = client.post(address(world.bob, "role"), {"role": "owner"})
    assert "Make <bdi>Bob Byrd</bdi> an owner of <bdi>Acme</bdi>?" in question.content.decode()
    assert role_of(world.bob, world.acme) == "admin"
    client.post(address(world.bob, "role"), {"role": "owner", "confirmed": "on"})
    assert role_of(world.bob, world.acme) == "owner"


def test_an_admin_who_says_it_is_confirmed_makes_no_owner(world: World, client_of: SignIn) -> None:
    sent = {"role": "owner", "confirmed": "on"}
    assert client_of(world.bob).post(address(world.rita, "role"), sent).status_code == 403
    assert role_of(world.rita, world.acme) == "reader"


def test_a_changed_role_can_be_undone_by_who_changed_it(world: World, client_of: SignIn) -> None:
    client = client_of(world.bob)
    changed = client.post(address(world.rita, "role"), {"role": "admin"})["Location"]
    page = client.get(changed).content.decode()
    assert "<bdi>Rita Rao</bdi> is now an admin." in page
    assert '<input type="hidden" name="role" value="reader">' in page
    assert "Undo" not in client_of(world.alice).get(changed).content.decode()
    client.post(address(world.rita, "role"), {"role": "reader"})
    assert "is now a reader." in client.get(changed).content.decode()


def test_undo_is_not_offered_for_what_nobody_changed(world: World, client_of: SignIn) -> None:
    client = client_of(world.bob)
    for user in (world.rita, world.charlie):
        assert "Undo" not in client.get(f"{PAGE}?changed={user.public_id}").content.decode()
    same = client.post(address(world.rita, "role"), {"role": "reader"})
    assert same["Location"] == PAGE


def test_the_last_owner_cannot_step_down(world: World, client_of: SignIn) -> None:
    client = client_of(world.alice)
    client.post(address(world.alice, "role"), {"role": "reader"})
    assert role_of(world.alice, world.acme) == "owner"
    assert "last owner" in client.get(PAGE).content.decode()


@pytest.mark.parametrize("role", ["", "god", "owner ", "\x00"])
def test_a_role_that_does_not_exist_changes_nothing(world: World, client_of: SignIn, role: str) -> None:
    assert client_of(world.alice).post(address(world.rita, "role"), {"role": role}).status_code == 403
    assert role_of(world.rita, world.acme) == "reader"


def test_a_member_is_removed_after_a_question(world: World, client_of: SignIn) -> None:
    join(world.rita, world.other, role="reader")
    client = client_of(world.bob)
    assert "Remove" in client.get(address(world.rita, "removal")).content.decode()
    assert role_of(world.rita, world.acme) == "reader"
    client.post(address(world.rita, "removal"))
    assert role_of(world.rita, world.acme) is None
    assert AuditEvent.objects.filter(event="user.deleted", target_id=world.rita.public_id).exists()
    assert client_of(world.rita).get("/settings/organization/acme/").status_code == 404


def test_someone_who_is_not_in_the_organization_does_not_exist_there(world: World, client_of: SignIn) -> None:
    client = client_of(world.alice)
    for thing in ("role", "removal"):
        assert client.post(address(world.charlie, thing), {"role": "reader"}).status_code == 404


def test_the_role_is_judged_again_when_the_change_is_made(world: World) -> None:
    with pytest.raises(organizations.OwnersOnlyError):
        organizations.require_may_manage(by=world.rita, organization=world.acme, user=world.bob)


def test_the_database_keeps_an_owner_whatever_the_code_does(world: World) -> None:
    def step_down() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            Membership.objects.filter(user=world.alice, organization=world.acme).update(role="reader")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="needs an owner"):
        step_down()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("guarded", [True, False])
def test_two_owners_who_demote_each_other_at_the_same_moment_leave_one(guarded: bool) -> None:
    """With the guard of the pages, and straight in the database without any lock of ours."""
    with routing_change() as now:
        users = [organizations.create_user(email=f"o{n}@example.test", password=PASSWORD, now=now) for n in range(2)]
        shared = organizations.create_organization(name="Shared", owner=users[0], now=now)
        organizations.add_member(organization=shared, user=users[1], role="owner", now=now)
    together = Barrier(2)

    def demote(user: User) -> bool:
        try:
            together.wait()
            if guarded:
                with routing_change():
                    organizations.set_role(organization=shared, user=user, role="reader")
            else:
                with transaction.atomic():
                    Membership.objects.filter(organization=shared, user=user).update(role="reader")
                    together.wait()
        except (organizations.LastOwnerError, IntegrityError):
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(demote, reversed(users))) == [False, True]
    assert Membership.objects.filter(organization=shared, role="owner", left_at__isnull=True).count() == 1
