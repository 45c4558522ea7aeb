"""Sign-up, sign-in, recovery, second factors and sessions: django-allauth with our people, pages and emails."""

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import DefaultOrganizationChange, Membership, User
from tests.entrance import NEWCOMER, RESET, SIGN_IN, SIGN_UP, confirm, link_in, sign_in, sign_up, with_app
from tests.world import PASSWORD, World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]


def test_a_new_person_has_a_personal_organization_and_signs_in_after_the_confirmation() -> None:
    client = sign_up("Dana@Example.test")
    dana = User.objects.get(email=NEWCOMER)
    personal = dana.default_organization
    assert personal is not None
    assert personal.is_personal
    assert Membership.objects.get(user=dana, organization=personal).role == "owner"
    assert DefaultOrganizationChange.objects.get(user=dana).organization == personal
    assert client.get("/settings/profile/").status_code == 302
    assert sign_in(NEWCOMER)[1] == "/accounts/confirm-email/"
    path = link_in(mail.outbox[0])
    client.get(path)
    assert sign_in(NEWCOMER)[1] == "/accounts/confirm-email/"
    client.post(path)
    browser, address = sign_in(NEWCOMER)
    assert address == "/usage"
    assert browser.get("/usage", follow=True).status_code == 200


def test_signing_in_says_nothing_about_it() -> None:
    User.objects.create_user(NEWCOMER, PASSWORD)
    client, _ = sign_in(NEWCOMER)
    assert "signed in" not in client.get("/settings/profile/").content.decode()


def test_emails_and_passwords_get_the_same_answers_whether_they_exist_or_not(world: World) -> None:
    def answer(address: str, data: dict[str, str]) -> tuple[int, str, str]:
        found = Client().post(address, data)
        page = re.sub(r'(value|content)="[^"]*"|[\w.]+@\w+\.test', "", found.content.decode())
        return found.status_code, found.headers.get("Location", ""), page

    wrong = "wrong password here"
    for address, field, extra in (
        (SIGN_IN, "login", {"password": wrong}),
        (SIGN_UP, "email", {"password1": PASSWORD}),
        (RESET, "email", {}),
    ):
        known = answer(address, {field: "rita@acme.test", **extra})
        unknown = answer(address, {field: "nobody@acme.test", **extra})
        assert known == unknown
    assert User.objects.filter(email="rita@acme.test").count() == 1


def test_a_second_sign_up_tells_the_owner_of_the_address(world: World) -> None:
    sign_up("rita@acme.test")
    (message,) = mail.outbox
    assert "You already have an account" in message.subject
    assert User.objects.filter(email="rita@acme.test").count() == 1


def test_a_forgotten_password_is_chosen_anew_once(world: World) -> None:
    Client().post(RESET, {"email": "rita@acme.test"})
    path = link_in(mail.outbox[0])
    browser = Client()
    form = browser.get(path)["Location"]
    browser.post(form, {"password1": "another good one", "password2": "another good one"})
    assert sign_in("rita@acme.test")[1] == ""
    assert sign_in("rita@acme.test", "another good one")[1] == "/usage"
    assert "invalid" in Client().get(path).content.decode()


@pytest.mark.parametrize("password", ["short", "password12", "1234567890"])
def test_a_weak_password_is_refused(password: str) -> None:
    assert "field-error" in Client().post(SIGN_UP, {"email": NEWCOMER, "password1": password}).content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password",
    [
        "dana.weiss@example.test",
        "DANA.WEISS@EXAMPLE.TEST",
        "dana.weiss",
        "Dana-Weiss",
        "danaweiss2026!",
        "dana.weiss@example",
    ],
)
def test_a_password_made_of_the_email_is_refused_at_sign_up_change_and_reset(world: World, password: str) -> None:
    email = "dana.weiss@example.test"
    assert "field-error" in Client().post(SIGN_UP, {"email": email, "password1": password}).content.decode()
    assert not User.objects.filter(email=email).exists()
    dana = User.objects.create_user(email, PASSWORD)
    client, _ = sign_in(email)
    new = {"password1": password, "password2": password}
    assert "field-error" in client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new}).content.decode()
    Client().post(RESET, {"email": email})
    browser = Client()
    form = browser.get(link_in(mail.outbox[-1]))["Location"]
    assert "field-error" in browser.post(form, new).content.decode()
    dana.refresh_from_db()
    assert dana.check_password(PASSWORD)


def test_one_mailbox_is_one_person_however_its_domain_is_written() -> None:
    sign_up("Dana@Bücher.Example")
    dana = User.objects.get()
    assert dana.email == "dana@xn--bcher-kva.example"
    assert EmailAddress.objects.get().email == dana.email
    Client().post(link_in(mail.outbox[0]))
    for spelling in ("dana@bücher.example", "DANA@XN--BCHER-KVA.EXAMPLE", "dana@ＢÜＣＨＥＲ.example"):
        assert sign_in(spelling)[1] == "/usage"
        sign_up(spelling)
    assert User.objects.count() == EmailAddress.objects.count() == 1


def test_a_reset_is_never_sent_to_a_domain_that_only_looks_the_same() -> None:
    """The older rules for domains make `strasse` of `straße`, which may belong to somebody else."""
    User.objects.create_user("dana@straße.example", PASSWORD)
    Client().post(RESET, {"email": "dana@straße.example"})
    (message,) = mail.outbox
    assert message.recipients() == ["dana@xn--strae-oqa.example"]
    assert "password/reset/key" in str(message.body)


@pytest.mark.parametrize("email", ["dana@bü..example", "dana@" + "ü" * 70 + ".example", "dana@\u2024.example"])
def test_a_domain_that_cannot_be_is_refused_with_a_sentence(email: str) -> None:
    for address, data in ((SIGN_UP, {"email": email, "password1": PASSWORD}), (RESET, {"email": email})):
        answer = Client().post(address, data)
        assert answer.status_code == 200
        assert "field-error" in answer.content.decode()


def test_cookies_have_names_of_their_own(world: World) -> None:
    client, _ = sign_in("rita@acme.test")
    client.get("/settings/profile/")
    client.post("/settings/profile/", {"name": "Rita"})
    assert set(client.cookies) == {"usage-dashboard-session", "usage-dashboard-csrf", "usage-dashboard-messages"}


def test_cookies_are_bound_to_the_host_under_https() -> None:
    names = [
        "SESSION_COOKIE_NAME",
        "CSRF_COOKIE_NAME",
        "MESSAGES_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
    ]
    program = f"from usage_dashboard import settings; print(*(getattr(settings, name) for name in {names}))"
    answer = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "HTTPS": "1"}, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == [
        *(f"__Host-usage-dashboard-{name}" for name in ("session", "csrf", "messages")),
        "True",
        "True",
    ]


def test_sign_up_can_be_closed(settings: Settings) -> None:
    settings.SIGN_UP_OPEN = False
    assert not Client().post(SIGN_UP, {"email": NEWCOMER, "password1": PASSWORD}).headers.get("Location")
    assert not User.objects.exists()


def test_guessing_passwords_is_slowed_down(world: World, settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "limits"}}
    for _ in range(6):
        sign_in("rita@acme.test", "wrong password here")
    assert sign_in("rita@acme.test")[1] == ""


def test_another_port_in_the_host_begins_no_new_count_of_guesses(world: World, settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "ports"}}
    for number in range(6):
        guess = {"login": "rita@acme.test", "password": "wrong password here"}
        Client(HTTP_HOST=f"localhost:{number + 1}", REMOTE_ADDR=f"192.0.2.{number + 1}").post(SIGN_IN, guess)
    assert sign_in("rita@acme.test")[1] == ""


def test_a_second_factor_is_asked_for_and_its_secret_is_encrypted(world: World) -> None:
    client, secret = with_app("rita@acme.test")
    assert secret not in str(Authenticator.objects.get(type="totp").data)
    browser, address = sign_in("rita@acme.test")
    assert address == "/accounts/2fa/authenticate/"
    assert browser.get("/settings/profile/").status_code == 302
    assert "On: you enter a code" in client.get("/settings/security/").content.decode()


def test_a_recovery_code_lets_in_once(world: World) -> None:
    client, _ = with_app("rita@acme.test")
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    code = re.findall(r"\b\d{8}\b", page)[0]
    for expected in ("/usage", ""):
        browser, _ = sign_in("rita@acme.test")
        answer = browser.post("/accounts/2fa/authenticate/", {"code": code})
        assert answer.headers.get("Location", "") == expected


def test_the_sessions_are_listed_and_others_can_be_signed_out(world: World) -> None:
    here, _ = sign_in("rita@acme.test")
    there, _ = sign_in("rita@acme.test")
    assert UserSession.objects.filter(user=world.rita).count() == 2
    assert "127.0.0.1" in here.get("/accounts/sessions/").content.decode()
    here.post("/accounts/sessions/")
    assert there.get("/settings/profile/").status_code == 302
    assert here.get("/settings/profile/").status_code == 200


def test_the_admin_site_asks_for_the_same_sign_in(world: World) -> None:
    assert Client().get("/admin/login/")["Location"].startswith(SIGN_IN)


def test_there_is_no_other_sign_in_unless_one_is_configured(settings: Settings) -> None:
    assert "Sign in with Acme" not in Client().get(SIGN_IN).content.decode()
    app = {
        "provider_id": "sso",
        "name": "Acme",
        "client_id": "dashboard",
        "secret": "s",
        "settings": {"server_url": "https://login.example.test"},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    assert "Sign in with Acme" in Client().get(SIGN_IN).content.decode()


PUBLIC_PAGES = ("account_login", "account_signup", "account_reset_password", "account_reset_password_done")
OWN_PAGES = (
    "account_change_password",
    "account_email",
    "account_logout",
    "account_reauthenticate",
    "mfa_index",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_list_webauthn",
    "usersessions_list",
    "socialaccount_connections",
)


@pytest.mark.parametrize("name", [*PUBLIC_PAGES, *OWN_PAGES])
def test_every_page_has_our_look_and_works_under_the_strict_policy(world: World, name: str) -> None:
    client = Client() if name in PUBLIC_PAGES else sign_in("rita@acme.test")[0]
    if name.startswith("mfa"):
        confirm(client)
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "css/tokens.css" in page
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*(src=|application/json))", page)
    assert not re.search(r"\s(style|on\w+)=", page)
    assert "<style" not in page


def test_emails_say_the_same_in_text_and_html(world: World) -> None:
    sign_up()
    Client().post(RESET, {"email": "rita@acme.test"})
    Client().post(RESET, {"email": "nobody@acme.test"})
    assert len(mail.outbox) == 3
    for message in mail.outbox:
        assert isinstance(message, EmailMultiAlternatives)
        ((html, kind),) = message.alternatives
        assert kind == "text/html"
        assert link_in(message) in str(html)
        assert "example.com" not in str(message.body)
