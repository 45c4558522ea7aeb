"""Invitations: by email, for seven days, once, for one address."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.audit.audit import Actor
from accounts.changes import change, routing_change
from accounts.clock import database_now
from accounts.members import invitations
from accounts.members.invitation_limits import require_within_limits
from accounts.models import AuditEvent, Invitation, Membership, Organization, User
from accounts.organizations import organizations
from tests.database.waiting import PATIENCE_SECONDS, until_somebody_waits
from tests.world import PASSWORD, World, join, make_user

SignIn = Callable[[User], Client]
MEMBERS = "/settings/organization/acme/members/"
INVITATIONS = "/settings/organization/acme/invitations/"
NEWCOMER = "dana@example.test"


def send(client: Client, email: str = NEWCOMER, role: str = "reader") -> str:
    """The path of the link in the email that was sent."""
    num_sent = len(mail.outbox)
    answer = client.post(INVITATIONS, {"email": email, "role": role})
    assert answer.status_code == 302, answer.content
    assert len(mail.outbox) == num_sent + 1
    return link_of(mail.outbox[-1])


def link_of(message: object) -> str:
    return str(urlsplit(re.findall(r"http\S+", str(getattr(message, "body", "")))[0]).path)


def is_in(user: User, organization: Organization) -> bool:
    return Membership.objects.filter(user=user, organization=organization, left_at__isnull=True).exists()


def newcomer(world: World) -> User:
    return make_user(NEWCOMER, name="Dana", role="owner", organization=world.other)


def test_the_email_has_a_text_and_a_page_with_the_link_and_the_facts(world: World, client_of: SignIn) -> None:
    path = send(client_of(world.alice))
    message = mail.outbox[0]
    assert message.to == [NEWCOMER]
    assert message.subject == "You're invited to an organization"
    assert "Alice Ames invited you to Acme" in message.body
    ((html, kind),) = message.alternatives  # type: ignore[attr-defined]
    assert kind == "text/html"
    for body in (str(message.body), str(html)):
        assert path in body
        assert "seven" in body or "until" in body


def test_an_existing_person_joins_once(world: World, client_of: SignIn) -> None:
    dana = newcomer(world)
    path = send(client_of(world.bob), role="admin")
    client = client_of(dana)
    assert "Join" in client.get(path).content.decode()
    assert not is_in(dana, world.acme)
    assert client.post(f"{path}acceptance/").status_code == 302
    assert Membership.objects.get(user=dana, organization=world.acme).role == "admin"
    again = client.post(f"{path}acceptance/")
    assert again.status_code == 410
    assert "works once" in again.content.decode()
    events = AuditEvent.objects.filter(organization=world.acme).order_by("id").values_list("event", flat=True)
    assert list(events)[-3:] == ["invite.sent", "user.added", "invite.accepted"]


def test_a_used_invitation_does_not_bring_back_who_was_removed(world: World, client_of: SignIn) -> None:
    dana = newcomer(world)
    path = send(client_of(world.alice))
    client_of(dana).post(f"{path}acceptance/")
    with routing_change() as now:
        organizations.remove_member(organization=world.acme, user=dana, now=now)
    answer = client_of(dana).post(f"{path}acceptance/")
    assert answer.status_code == 410
    assert not is_in(dana, world.acme)
    second = send(client_of(world.alice))
    assert client_of(dana).post(f"{second}acceptance/").status_code == 302
    assert is_in(dana, world.acme)


def test_a_new_person_signs_up_from_the_link_without_another_verification(world: World, client_of: SignIn) -> None:
    path = send(client_of(world.alice))
    browser = Client()
    assert "Create an account" in browser.get(path).content.decode()
    signup = browser.post(f"{path}registration/")
    data = {"email": NEWCOMER, "password1": PASSWORD, "next": path}
    answer = browser.post(signup["Location"], data)
    assert answer["Location"] == path
    assert len(mail.outbox) == 1
    browser.post(f"{path}acceptance/")
    dana = User.objects.get(email=NEWCOMER)
    assert is_in(dana, world.acme)
    assert dana.default_organization is not None
    assert dana.default_organization.is_personal


def test_another_person_cannot_use_it_and_is_told_whose_it_is(world: World, client_of: SignIn) -> None:
    path = send(client_of(world.alice))
    for answer in (client_of(world.charlie).get(path), client_of(world.charlie).post(f"{path}acceptance/")):
        assert answer.status_code == 403
        assert NEWCOMER in answer.content.decode()
    assert not is_in(world.charlie, world.acme)


def test_an_invitation_expires_after_seven_days(world: World, client_of: SignIn) -> None:
    dana = newcomer(world)
    path = send(client_of(world.alice))
    invitation = Invitation.objects.get()
    assert invitation.expires_at - invitation.created_at == timedelta(days=7)
    Invitation.objects.update(expires_at=database_now())
    for answer in (client_of(dana).get(path), client_of(dana).post(f"{path}acceptance/"), Client().get(path)):
        assert answer.status_code == 410
        assert "expired" in answer.content.decode()
    assert "Expired" in client_of(world.alice).get(MEMBERS).content.decode()


def test_sending_again_makes_a_new_link_and_seven_new_days(world: World, client_of: SignIn) -> None:
    first = send(client_of(world.alice))
    Invitation.objects.update(expires_at=database_now())
    client_of(world.bob).post(f"{INVITATIONS}{Invitation.objects.get().public_id}/resending/")
    second = link_of(mail.outbox[-1])
    assert first != second
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200


def test_a_revoked_invitation_is_dead(world: World, client_of: SignIn) -> None:
    path = send(client_of(world.alice))
    address = f"{INVITATIONS}{Invitation.objects.get().public_id}/"
    client_of(world.bob).post(f"{address}revocation/")
    assert Client().get(path).status_code == 410
    client_of(world.bob).post(f"{address}resending/")
    assert len(mail.outbox) == 1
    assert AuditEvent.objects.filter(event="invite.deleted").count() == 1


@pytest.mark.parametrize(
    "email", ["", "x", "a@b", "rita@acme.test", "RITA@acme.test", "a\x00@b.test", "x" * 250 + "@b.test"]
)
def test_a_bad_address_or_a_member_is_refused_with_a_sentence(world: World, client_of: SignIn, email: str) -> None:
    answer = client_of(world.alice).post(INVITATIONS, {"email": email, "role": "reader"})
    assert "field-error" in answer.content.decode()
    assert not mail.outbox
    assert not Invitation.objects.exists()


def test_nobody_is_invited_twice_at_a_time(world: World, client_of: SignIn) -> None:
    send(client_of(world.alice))
    answer = client_of(world.bob).post(INVITATIONS, {"email": NEWCOMER.upper(), "role": "admin"})
    assert "already invited" in answer.content.decode()
    assert len(mail.outbox) == 1


def test_the_database_has_one_open_invitation_for_an_address(world: World, client_of: SignIn) -> None:
    send(client_of(world.alice))
    found = Invitation.objects.get()
    found.pk, found.public_id, found.digest = None, "invite_x", b"x"
    with pytest.raises(IntegrityError), transaction.atomic():
        found.save(force_insert=True)


def test_an_admin_does_not_invite_owners(world: World, client_of: SignIn) -> None:
    answer = client_of(world.bob).post(INVITATIONS, {"email": NEWCOMER, "role": "owner"})
    assert "field-error" in answer.content.decode()
    send(client_of(world.alice), role="owner")
    address = f"{INVITATIONS}{Invitation.objects.get().public_id}/"
    client_of(world.bob).post(f"{address}resending/")
    assert len(mail.outbox) == 1


def test_an_invitation_of_another_organization_does_not_exist_here(world: World, client_of: SignIn) -> None:
    send(client_of(world.alice))
    address = f"/settings/organization/other/invitations/{Invitation.objects.get().public_id}/"
    for thing in ("resending", "revocation"):
        assert client_of(world.charlie).post(f"{address}{thing}/").status_code == 404


def test_an_unknown_link_leads_nowhere(world: World, client_of: SignIn) -> None:
    for client in (Client(), client_of(world.rita)):
        assert client.get(f"/invitations/{'x' * 40}/").status_code == 404
    assert client_of(world.rita).post(f"/invitations/{'x' * 40}/acceptance/").status_code == 404


def test_who_is_in_already_is_led_there(world: World, client_of: SignIn) -> None:
    dana = newcomer(world)
    path = send(client_of(world.alice))
    join(dana, world.acme, role="reader")
    answer = client_of(dana).post(f"{path}acceptance/")
    assert answer.status_code == 409
    assert "Go to Acme" in answer.content.decode()


def invite(client: Client, email: str, slug: str = "acme") -> str:
    """What the page says when this invitation is refused; nothing if it is sent."""
    address = f"/settings/organization/{slug}/invitations/"
    return client.post(address, {"email": email, "role": "reader"}).content.decode()


def test_a_person_sends_as_many_invitations_as_the_limit_says_in_all_their_organizations(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.INVITATIONS_PER_PERSON_AND_DAY = 3
    join(world.alice, world.other, role="owner")
    alice = client_of(world.alice)
    assert not invite(alice, "1@example.test")
    alice.post(f"{INVITATIONS}{Invitation.objects.get().public_id}/resending/")
    assert not invite(alice, "2@example.test", slug="other")
    assert "daily limit of invitations per person" in invite(alice, "3@example.test")
    alice.post(f"{INVITATIONS}{Invitation.objects.get(organization=world.acme).public_id}/resending/")
    assert len(mail.outbox) == 3
    assert not invite(client_of(world.bob), "4@example.test")


def test_an_organization_sends_as_many_as_its_limit_says(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.INVITATIONS_PER_ORGANIZATION_AND_DAY = 2
    assert not invite(client_of(world.alice), "1@example.test")
    assert not invite(client_of(world.bob), "2@example.test")
    assert "daily limit of invitations per organization" in invite(client_of(world.bob), "3@example.test")
    assert not invite(client_of(world.charlie), "4@example.test", slug="other")


def test_an_address_gets_as_many_as_its_limit_says_from_everybody_together(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.INVITATIONS_PER_ADDRESS_AND_DAY = 2
    alice = client_of(world.alice)
    assert not invite(alice, NEWCOMER)
    alice.post(f"{INVITATIONS}{Invitation.objects.get().public_id}/resending/")
    assert "has received the daily limit of invitations" in invite(
        client_of(world.charlie), "DANA@example.test", slug="other"
    )
    alice.post(f"{INVITATIONS}{Invitation.objects.get().public_id}/revocation/")
    assert "has received the daily limit of invitations" in invite(alice, NEWCOMER)
    assert len(mail.outbox) == 2
    with routing_change() as now:
        require_within_limits(
            organization=world.acme, email=NEWCOMER, inviter=world.alice, now=now + timedelta(days=1, minutes=1)
        )


@pytest.mark.django_db(transaction=True)
def test_invitations_sent_at_the_same_moment_do_not_pass_the_limit_together(settings: Settings) -> None:
    settings.INVITATIONS_PER_PERSON_AND_DAY = 3
    with routing_change() as now:
        owner = organizations.create_user(email="owner@example.test", now=now)
        shared = organizations.create_organization(name="Shared", owner=owner, now=now)

    def send_one(number: int) -> bool:
        try:
            with routing_change() as now:
                invitations.invite(
                    organization=shared,
                    email=f"{number}@example.test",
                    role="reader",
                    invited_by=owner,
                    now=now,
                    actor=Actor(user=owner, name=owner.email),
                )
        except invitations.InvitationRefusedError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(send_one, range(8))) == 3


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_join_once() -> None:
    with routing_change() as now:
        owner = organizations.create_user(email="owner@example.test", now=now)
        dana = organizations.create_user(email=NEWCOMER, now=now)
        shared = organizations.create_organization(name="Shared", owner=owner, now=now)
        token = invitations.invite(
            organization=shared, email=NEWCOMER, role="reader", invited_by=owner, now=now, actor=Actor()
        )

    def click(_number: int) -> bool:
        try:
            with routing_change() as now:
                found = invitations.find(token)
                assert found is not None
                invitations.accept(invitation=found, user=dana, now=now, actor=Actor())
        except invitations.UsedError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(click, range(3))) == [False, False, True]
    assert Membership.objects.filter(organization=shared, user=dana).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change_it", [invitations.revoke, invitations.resend])
def test_who_accepts_what_is_cancelled_or_sent_again_at_that_moment_waits_and_hears_of_it(
    change_it: Callable[..., object],
) -> None:
    with routing_change() as now:
        owner = organizations.create_user(email="owner@example.test", now=now)
        dana = organizations.create_user(email=NEWCOMER, now=now)
        shared = organizations.create_organization(name="Shared", owner=owner, now=now)
        token = invitations.invite(
            organization=shared, email=NEWCOMER, role="reader", invited_by=owner, now=now, actor=Actor()
        )
    begun = Event()

    def act() -> None:
        """As the members page does: who may, then the change."""
        with change(by=owner) as now:
            organizations.require_may_invite(by=owner, organization=shared, role="reader")
            begun.set()
            until_somebody_waits()
            change_it(invitation=Invitation.objects.get(), now=now, actor=Actor(user=owner, name=owner.email))

    def click() -> None:
        found = invitations.find(token)
        assert found is not None
        assert begun.wait(PATIENCE_SECONDS)
        with routing_change(dana) as now:
            invitations.accept(invitation=found, user=dana, now=now, actor=Actor())

    with ThreadPoolExecutor(2) as threads:
        acting, clicking = threads.submit(alone, act), threads.submit(alone, click)
        assert acting.exception() is None
        found = clicking.exception()
    assert isinstance(found, invitations.RevokedError) if change_it is invitations.revoke else found is None
    assert is_in(dana, shared) == (found is None)


def alone(act: Callable[[], None]) -> None:
    """In a connection of its own, which is given back."""
    try:
        act()
    finally:
        connection.close()
