"""Open invitations end with what they rest on: nobody who was put out, or may invite no more, is let in by an old one."""

from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.changes import routing_change
from accounts.models import AuditEvent, Membership, Organization, User
from accounts.organizations import organizations
from accounts.organizations.many import add_members
from accounts.organizations.open_invitations import open_invitations
from accounts.people.support import deactivate
from tests.accounts.members.test_invitations import MEMBERS, NEWCOMER, is_in, send
from tests.world import World, join, make_user

SignIn = Callable[[User], Client]
LABS = "/settings/organization/acme-labs/invitations/"
SECOND = "second@example.test"


@pytest.fixture
def dana(world: World) -> User:
    return make_user(NEWCOMER, name="Dana", role="owner", organization=world.other)


def add(world: World, user: User, *, at_once: bool = False) -> None:
    """As the operator's programs and identity providers do."""
    with routing_change(user) as now:
        if at_once:
            row = Membership(organization=world.acme, user=user, role="reader", joined_at=now)
            add_members([row], actor=SYSTEM_ACTOR)
        else:
            organizations.add_member(organization=world.acme, user=user, role="reader", now=now)


def remove(world: World, user: User) -> None:
    with routing_change(user) as now:
        organizations.remove_member(organization=world.acme, user=user, now=now)


def addresses(organization: Organization) -> set[str]:
    """To which there are open invitations."""
    return set(open_invitations(organization).values_list("email", flat=True))


@pytest.mark.parametrize("at_once", [True, False])
def test_who_comes_in_otherwise_and_is_removed_does_not_come_back_with_the_old_mail(
    world: World, client_of: SignIn, dana: User, at_once: bool
) -> None:
    path = send(client_of(world.alice), role="admin")
    send(client_of(world.alice), SECOND)
    join(world.alice, world.labs, role="owner")
    client_of(world.alice).post(LABS, {"email": NEWCOMER, "role": "reader"})
    add(world, dana, at_once=at_once)
    answer = client_of(dana).get(path)
    assert answer.status_code == 410
    assert "You are in Acme already." in answer.content.decode()
    remove(world, dana)
    assert client_of(dana).post(f"{path}acceptance/").status_code == 410
    assert not is_in(dana, world.acme)
    assert addresses(world.acme) == {SECOND}
    assert addresses(world.labs) == {NEWCOMER}


def test_nor_with_one_to_another_address_that_they_have_confirmed(world: World, client_of: SignIn, dana: User) -> None:
    EmailAddress.objects.create(user=dana, email=SECOND, verified=True)
    join(dana, world.acme, role="reader")
    path = send(client_of(world.alice), SECOND, role="admin")
    remove(world, dana)
    User.objects.filter(pk=dana.pk).update(email=SECOND)
    dana.refresh_from_db()
    assert client_of(dana).post(f"{path}acceptance/").status_code == 410
    assert not is_in(dana, world.acme)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_an_admin_who_is_removed_or_leaves_has_no_second_mailbox_invited(
    world: World, client_of: SignIn, dana: User, who: str
) -> None:
    join(world.bob, world.other, role="reader")
    path = send(client_of(world.bob), role="admin")
    send(client_of(world.alice), SECOND)
    leaving = "/settings/organization/acme/departure/"
    by = getattr(world, who)
    client_of(by).post(leaving if by == world.bob else f"{MEMBERS}{world.bob.public_id}/removal/")
    assert not is_in(world.bob, world.acme)
    assert client_of(dana).post(f"{path}acceptance/").status_code == 410
    assert not is_in(dana, world.acme)
    assert addresses(world.acme) == {SECOND}
    event = AuditEvent.objects.get(event="invite.deleted")
    assert (event.actor, event.organization, event.target_name) == (by, world.acme, NEWCOMER)


@pytest.mark.parametrize(
    ("role", "left"), [("admin", {"alice", "admin", "reader"}), ("reader", {"alice"}), ("owner", None)]
)
def test_who_is_given_a_lower_role_has_sent_no_more_than_they_may(
    world: World, client_of: SignIn, role: str, left: set[str] | None
) -> None:
    Membership.objects.filter(user=world.bob, organization=world.acme).update(role="owner")
    for each in ("owner", "admin", "reader"):
        send(client_of(world.bob), f"{each}@example.test", role=each)
    send(client_of(world.alice), "alice@example.test", role="owner")
    client_of(world.alice).post(f"{MEMBERS}{world.bob.public_id}/role/", {"role": role, "confirmed": "on"})
    expected = {"alice", "owner", "admin", "reader"} if left is None else left
    assert {address.partition("@")[0] for address in addresses(world.acme)} == expected


def test_whose_account_staff_closes_has_no_second_mailbox_invited(world: World, client_of: SignIn, dana: User) -> None:
    path = send(client_of(world.bob), role="admin")
    send(client_of(world.alice), SECOND)
    with routing_change(world.bob):
        deactivate(world.bob, actor=SYSTEM_ACTOR)
    assert client_of(dana).post(f"{path}acceptance/").status_code == 410
    assert not is_in(dana, world.acme)
    assert addresses(world.acme) == {SECOND}


def test_the_questions_before_somebody_goes_say_it(world: World, client_of: SignIn) -> None:
    removal = client_of(world.bob).get(f"{MEMBERS}{world.rita.public_id}/removal/").content.decode()
    assert "those that they sent, end." in " ".join(removal.split())
    departure = client_of(world.bob).get("/settings/organization/acme/departure/").content.decode()
    assert "Invitations that you sent and that nobody has accepted yet end." in departure
