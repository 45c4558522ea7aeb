"""An email address belongs to whoever confirms it; nobody who only wrote it down stands in the way."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.entrance.adapter import SocialAccountAdapter
from accounts.models import Organization, User
from tests.entrance import NEWCOMER, SIGN_IN, SIGN_UP, confirm, link_in, sign_in, sign_up
from tests.world import PASSWORD, World, join

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
EMAILS = "/accounts/email/"
OTHER = "dana@company.test"
EMAIL_FIELD = re.compile(r'<input type="email" name="email"(?: value="([^"]*)")?[^>]*?(readonly|>)')


def owner_of(email: str) -> User:
    """The one person whom both tables give the address to."""
    user = User.objects.get(email=email)
    assert EmailAddress.objects.get(email=email, primary=True, verified=True).user == user
    return user


def add(client: Client, email: str) -> str:
    """The address beside one's own; returns the link of the confirmation."""
    confirm(client)
    client.post(EMAILS, {"email": email, "action_add": ""})
    return link_in(mail.outbox[-1])


def test_an_address_that_somebody_registered_and_never_confirmed_becomes_its_owners_main_one(world: World) -> None:
    sign_up(NEWCOMER)
    squatter = User.objects.get(email=NEWCOMER)
    client, _ = sign_in("rita@acme.test")
    client.post(add(client, NEWCOMER))
    assert client.post(EMAILS, {"email": NEWCOMER, "action_primary": ""}).status_code == 302
    assert owner_of(NEWCOMER) == world.rita
    squatter.refresh_from_db()
    assert not squatter.is_active
    assert sign_in(NEWCOMER)[1] == "/usage"
    assert not EmailAddress.objects.filter(user=squatter).exists()


def test_a_claim_from_before_is_no_error_either(world: World) -> None:
    squatter = User.objects.create(email=NEWCOMER, default_organization=world.other)
    join(squatter, world.other, role="reader")
    EmailAddress.objects.create(user=squatter, email=NEWCOMER, primary=True)
    EmailAddress.objects.create(user=world.rita, email=NEWCOMER, verified=True)
    client, _ = sign_in("rita@acme.test")
    confirm(client)
    assert client.post(EMAILS, {"email": NEWCOMER, "action_primary": ""}).status_code == 302
    assert owner_of(NEWCOMER) == world.rita


def test_an_account_that_is_in_use_keeps_the_address_that_it_has_confirmed(world: World) -> None:
    """Two truths of an earlier version: known by one address, confirmed by another."""
    User.objects.filter(pk=world.bob.pk).update(email=NEWCOMER)
    EmailAddress.objects.create(user=world.rita, email=NEWCOMER, verified=True)
    client, _ = sign_in("rita@acme.test")
    confirm(client)
    client.post(EMAILS, {"email": NEWCOMER, "action_primary": ""})
    assert owner_of(NEWCOMER) == world.rita
    assert owner_of("bob@acme.test") == world.bob
    world.bob.refresh_from_db()
    assert world.bob.is_active


def test_an_address_that_somebody_wrote_beside_their_own_can_sign_up(world: World) -> None:
    client, _ = sign_in("charlie@other.test")
    dead = add(client, NEWCOMER)
    sign_up(NEWCOMER)
    Client().post(link_in(mail.outbox[-1]))
    assert sign_in(NEWCOMER)[1] == "/usage"
    client.post(dead)
    assert owner_of(NEWCOMER) not in (world.charlie, None)
    assert not EmailAddress.objects.filter(user=world.charlie, email=NEWCOMER).exists()


def test_a_confirmed_address_is_not_taken_by_writing_it_down(world: World) -> None:
    client, _ = sign_in("charlie@other.test")
    confirm(client)
    client.post(EMAILS, {"email": "rita@acme.test", "action_add": ""})
    client.post(EMAILS, {"email": "rita@acme.test", "action_primary": ""})
    assert owner_of("rita@acme.test") == world.rita
    world.charlie.refresh_from_db()
    assert world.charlie.email == "charlie@other.test"
    assert sign_in("rita@acme.test")[1] == "/usage"


def test_who_is_invited_signs_up_though_somebody_registered_the_address(world: World, client_of: SignIn) -> None:
    sign_up(NEWCOMER)
    client_of(world.alice).post("/settings/organization/acme/invitations/", {"email": NEWCOMER, "role": "reader"})
    path = link_in(mail.outbox[-1])
    browser = Client()
    signup = browser.post(f"{path}registration/")
    answer = browser.post(signup["Location"], {"email": NEWCOMER, "password1": "their own good one", "next": path})
    assert answer["Location"] == path
    assert owner_of(NEWCOMER).check_password("their own good one")


def invited(client: Client) -> tuple[Client, str]:
    """A browser that has come from an invitation to sign up, and the address of that page."""
    client.post("/settings/organization/acme/invitations/", {"email": NEWCOMER, "role": "reader"})
    browser = Client()
    return browser, browser.post(f"{link_in(mail.outbox[-1])}registration/")["Location"]


@pytest.mark.parametrize("is_open", [True, False])
def test_who_is_invited_signs_up_with_that_address_alone(
    world: World, client_of: SignIn, settings: Settings, is_open: bool
) -> None:
    sign_up(NEWCOMER)
    settings.SIGN_UP_OPEN = is_open
    browser, page = invited(client_of(world.alice))
    num_people = User.objects.count()
    for address in (page, SIGN_UP, f"{SIGN_UP}?email={OTHER}"):
        assert EMAIL_FIELD.findall(browser.get(address).content.decode()) == [(NEWCOMER, "readonly")]
    for email in (OTHER, "", "dana@"):
        answer = browser.post(page, {"email": email, "password1": PASSWORD})
        assert answer.status_code == 200
        assert f"Your invitation is for {NEWCOMER}" in answer.content.decode() or email != OTHER
        assert EMAIL_FIELD.findall(answer.content.decode()) == [(NEWCOMER, "readonly")]
    assert User.objects.count() == num_people
    assert browser.post(page, {"email": NEWCOMER.upper(), "password1": PASSWORD}).status_code == 302
    assert owner_of(NEWCOMER).default_organization is not None
    assert not EmailAddress.objects.exclude(email=NEWCOMER).filter(user=owner_of(NEWCOMER)).exists()


def test_a_sign_up_that_fails_on_its_way_leaves_no_half_of_an_account(world: World) -> None:
    def fail(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith('INSERT INTO "account_emailaddress"'):
            raise OperationalError("the server closed the connection")
        return execute(sql, params, many, context)

    before = User.objects.count(), Organization.objects.count()
    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        Client().post(SIGN_UP, {"email": NEWCOMER, "password1": PASSWORD})
    assert (User.objects.count(), Organization.objects.count()) == before
    sign_up(NEWCOMER)


def test_who_is_invited_and_comes_in_through_their_company_has_both_addresses(world: World) -> None:
    """Also where somebody registered the invited one and never confirmed it."""
    sign_up(NEWCOMER)
    request = RequestFactory().get("/")
    request.session = SessionStore()
    get_adapter().stash_verified_email(request, NEWCOMER)
    login = SocialLogin(
        user=User(email=OTHER),
        account=SocialAccount(provider="openid_connect", uid="1"),
        email_addresses=[EmailAddress(email=OTHER, verified=True, primary=True)],
    )
    saved = SocialAccountAdapter().save_user(request, login)
    assert owner_of(NEWCOMER) == saved
    assert EmailAddress.objects.get(email=OTHER, verified=True).user == saved


def test_a_second_sign_up_of_an_unconfirmed_address_gets_a_mail_and_no_error(world: World) -> None:
    sign_up(NEWCOMER)
    sign_up(NEWCOMER)
    assert User.objects.filter(email=NEWCOMER).count() == 1
    assert Client().post(SIGN_IN, {"login": NEWCOMER, "password": PASSWORD})["Location"] == "/accounts/confirm-email/"


def test_a_company_that_vouches_for_an_address_does_not_lead_to_an_account_that_only_claims_it(
    world: World, settings: Settings
) -> None:
    """Without this, a person who signs in through their company lands in the account of whoever wrote their address down."""
    client, _ = sign_in("charlie@other.test")
    add(client, NEWCOMER)
    provider = SimpleNamespace(get_settings=lambda: {"EMAIL_AUTHENTICATION": True}, app=None, id="sso")
    login = SimpleNamespace(
        email_addresses=[EmailAddress(email=NEWCOMER, verified=True)],
        provider=provider,
        account=SimpleNamespace(get_provider=lambda: provider),
    )
    adapter = SocialAccountAdapter()
    assert adapter.authenticate_by_email(login) is None
    login.email_addresses = [EmailAddress(email="rita@acme.test", verified=True)]
    assert adapter.authenticate_by_email(login) == (world.rita, "rita@acme.test")


def test_sign_up_pages_say_nothing_about_claims(world: World) -> None:
    sign_up(NEWCOMER)
    first = Client().post(SIGN_UP, {"email": NEWCOMER, "password1": PASSWORD})
    second = Client().post(SIGN_UP, {"email": "nobody@example.test", "password1": PASSWORD})
    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"])


def add_superuser(email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--no-input", "--email", email, verbosity=0)


def test_the_operator_adds_a_superuser_whose_address_somebody_registered(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_up(NEWCOMER)
    squatter = User.objects.get(email=NEWCOMER)
    add_superuser(NEWCOMER.upper(), monkeypatch)
    assert owner_of(NEWCOMER).is_superuser
    squatter.refresh_from_db()
    assert (squatter.is_active, squatter.is_superuser) == (False, False)


def test_an_address_that_somebody_has_confirmed_is_not_given_to_a_superuser(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    EmailAddress.objects.create(user=world.rita, email=NEWCOMER, verified=True)
    for email in (NEWCOMER, world.bob.email):
        with pytest.raises(CommandError, match="is already taken"):
            add_superuser(email, monkeypatch)
    assert not User.objects.filter(is_superuser=True).exists()
