"""Users by the operator's own id, and what their email addresses may be."""

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import AuditEvent, Membership, User
from apikeys.models import APIKey
from tests.engine import make_key
from tests.provisioning import Operator, operator, refusal
from tests.world import PASSWORD, World


@pytest.fixture
def program(world: World) -> Operator:
    return operator()


def test_a_put_makes_a_person_whose_address_is_confirmed(program: Operator) -> None:
    status, made = program.put("users/u-1", email="Peter@Initech.Test", name="Peter")
    assert status == 201
    user = User.objects.get(external_id="u-1")
    assert (user.email, made["email"], made["id"]) == ("peter@initech.test", "peter@initech.test", user.public_id)
    assert not user.has_usable_password()
    assert EmailAddress.objects.is_verified("peter@initech.test")
    assert not Membership.objects.filter(user=user).exists()
    events = AuditEvent.objects.count()
    assert program.put("users/u-1", email="PETER@initech.test", name="Peter") == (200, made)
    assert AuditEvent.objects.count() == events


def test_who_has_confirmed_the_address_is_taken_over(program: Operator, world: World) -> None:
    found = program.made("users/rita", email="RITA@ACME.test")
    assert (found["id"], found["name"]) == (world.rita.public_id, "Rita Rao")
    assert refusal(program.put("users/other", email="rita@acme.test")) == (409, "email_taken")
    assert User.objects.get(pk=world.rita.pk).external_id == "rita"


def test_who_never_confirmed_it_loses_it(program: Operator) -> None:
    stranger = User.objects.create_user("peter@initech.test", "a stranger's password")
    EmailAddress.objects.filter(user=stranger).update(verified=False)
    program.made("users/u-1", email="peter@initech.test")
    stranger.refresh_from_db()
    assert stranger.email != "peter@initech.test"
    assert not stranger.is_active
    assert User.objects.get(external_id="u-1").pk != stranger.pk


def test_staff_is_neither_taken_over_nor_changed(program: Operator, world: World) -> None:
    User.objects.filter(pk=world.rita.pk).update(is_staff=True)
    assert refusal(program.put("users/rita", email="rita@acme.test")) == (409, "email_taken")
    User.objects.filter(pk=world.rita.pk).update(external_id="rita")
    assert refusal(program.put("users/rita", email="mine@evil.test")) == (409, "immutable")
    assert refusal(program.put("users/rita", email="rita@acme.test", name="Somebody else")) == (409, "immutable")
    assert refusal(program.end("users/rita")) == (409, "immutable")
    assert User.objects.get(pk=world.rita.pk).name == "Rita Rao"
    assert User.objects.get(pk=world.rita.pk).is_active


@pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
def test_staff_that_was_dismissed_is_not_let_in_again(program: Operator, world: World, right: str) -> None:
    User.objects.filter(pk=world.rita.pk).update(external_id="rita", is_active=False, **{right: True})
    assert refusal(program.put("users/rita", email="rita@acme.test")) == (409, "immutable")
    assert not User.objects.get(pk=world.rita.pk).is_active


def test_another_address_is_the_only_one_that_opens(program: Operator, world: World) -> None:
    program.made("users/rita", email="rita@acme.test")
    program.made("users/rita", email="r.rao@acme.test")
    addresses = EmailAddress.objects.filter(user=world.rita).values_list("email", "verified", "primary")
    assert list(addresses) == [("r.rao@acme.test", True, True)]
    assert refusal(program.put("users/rita", email="ALICE@acme.test")) == (409, "email_taken")
    event = AuditEvent.objects.get(event="user.email.changed", organization=world.acme)
    assert event.details == {"email": "r.rao@acme.test", "before": "rita@acme.test"}


def test_ending_signs_out_revokes_and_leaves(program: Operator, world: World) -> None:
    key, client = make_key(world.rita), Client()
    client.post("/accounts/login/", {"login": "rita@acme.test", "password": PASSWORD})
    assert client.get("/settings/profile/").status_code == 200
    program.made("users/rita", email="rita@acme.test")
    _, ended = program.end("users/rita")
    assert ended["is_active"] is False
    assert APIKey.objects.get(pk=key.pk).revoked_at is not None
    assert not Membership.objects.filter(user=world.rita, left_at__isnull=True).exists()
    assert client.get("/settings/profile/").status_code == 302
    events = AuditEvent.objects.count()
    assert program.end("users/rita") == (200, ended)
    assert AuditEvent.objects.count() == events
    assert program.made("users/rita", email="rita@acme.test")["is_active"] is True
    assert client.get("/settings/profile/").status_code == 302


def test_the_last_owner_stays(program: Operator, world: World) -> None:
    key = make_key(world.alice)
    program.made("users/alice", email="alice@acme.test")
    assert refusal(program.end("users/alice")) == (409, "last_owner")
    assert User.objects.get(pk=world.alice.pk).is_active
    assert APIKey.objects.get(pk=key.pk).revoked_at is None


@pytest.mark.parametrize(
    "email",
    [
        "",
        "nobody",
        "a@b",
        "a\0@b.test",
        "x" * 250 + "@b.test",
        "a@\ud800.test",
        "a@" + "ü" * 70 + ".test",
        None,
        [],
        {},
    ],
)
def test_what_is_no_address_is_refused(program: Operator, email: object) -> None:
    answer = program.put("users/u-1", email=email)
    assert refusal(answer) == (400, "invalid_request")
    assert answer[1]["error"]["param"].startswith("email")
