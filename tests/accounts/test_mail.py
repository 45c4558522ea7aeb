"""Emails: their links lead to this site, names in them are words, and their subjects are one line."""

import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from pytest_django import Settings

from accounts.mail import compose, unlinked
from accounts.models import Organization, User
from apikeys.models import APIKey
from tests.engine import make_key
from tests.world import PASSWORD, World

SignIn = Callable[[User], Client]
SITE = "https://usage.example.com"
OTHER_HOST = {"HTTP_HOST": "127.0.0.1:4711"}
ADDRESS = re.compile(r"https?://[^\s\"<]+")
# What programs of today make a link of, in plain text and in HTML alike.
LOOKS_LIKE_A_LINK = re.compile(r"(?i)\b(?:[a-z]+:/|www\.\w)|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b|\S@\w")


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.SITE_ADDRESS = SITE


def parts(message: object) -> tuple[str, str]:
    assert isinstance(message, EmailMultiAlternatives)
    ((html, _kind),) = message.alternatives
    return str(message.body), str(html)


def test_links_of_every_mail_lead_to_the_site_whatever_host_the_request_names(world: World, client_of: SignIn) -> None:
    key = make_key(world.rita)
    APIKey.objects.filter(pk=key.pk).update(tracked=False)
    stranger = Client(**OTHER_HOST)  # type: ignore[arg-type]
    stranger.post("/accounts/signup/", {"email": "dana@example.test", "password1": PASSWORD})
    stranger.post("/accounts/signup/", {"email": "bob@acme.test", "password1": PASSWORD})
    stranger.post("/accounts/password/reset/", {"email": "rita@acme.test"})
    stranger.post("/accounts/password/reset/", {"email": "nobody@acme.test"})
    owner = client_of(world.alice)
    settings_page = "/settings/organization/acme/"
    owner.post(f"{settings_page}invitations/", {"email": "x@example.test", "role": "reader"}, **OTHER_HOST)  # type: ignore[arg-type]
    owner.post(f"{settings_page}keys/requests/{world.rita.public_id}/", **OTHER_HOST)  # type: ignore[arg-type]
    assert len(mail.outbox) == 6
    for message in mail.outbox:
        for part in parts(message):
            addresses = ADDRESS.findall(part)
            assert addresses
            assert all(address.startswith(f"{SITE}/") for address in addresses)
            assert "127.0.0.1:4711" not in part


def test_the_first_event_goes_to_the_site(world: World, client_of: SignIn) -> None:
    page = client_of(world.alice).get("/settings/organization/acme/usage/activity/", **OTHER_HOST)  # type: ignore[arg-type]
    assert f"curl {SITE}/v1/usage/events" in page.content.decode()


def test_where_a_gateway_reports_nobody_is_told_to_send_an_event(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.API_KEYS_MAY_REPORT = False
    for view in ("activity", "cost"):
        page = client_of(world.alice).get(f"/settings/organization/acme/usage/{view}/").content.decode()
        assert "No usage yet" in page
        assert "curl" not in page
        assert "$API_KEY" not in page


@pytest.mark.parametrize(
    "name",
    [
        "evil.com",
        "http://evil.example/login",
        "HTTPS://1.2.3.4/x",
        "Pay at www.evil.example now",
        "xn--80ak6aa92e.com",
        "аррӏе。com",
        "me@evil.example",
        "https://usage.example.com.evil.example/",
        "https://usage.example.com@evil.example/",
    ],
)
def test_a_name_that_is_an_address_is_no_link(world: World, client_of: SignIn, name: str) -> None:
    Organization.objects.filter(pk=world.acme.pk).update(name=name)
    User.objects.filter(pk=world.alice.pk).update(name=name)
    answer = client_of(world.alice).post(
        "/settings/organization/acme/invitations/", {"email": "dana@example.test", "role": "reader"}
    )
    assert answer.status_code == 302
    (message,) = mail.outbox
    text, html = parts(message)
    assert ADDRESS.findall(text) == re.findall(r'href="([^"]+)"', html)
    for part in (text, re.sub(r"<[^>]*>", "", html[html.index("<body") :])):
        without_own = re.sub(rf"{SITE}/\S+|dana@example.test", "", part)
        assert not LOOKS_LIKE_A_LINK.search(without_own)
    readable = text.replace("\u200b", "")
    assert name in readable


def test_a_name_with_line_breaks_makes_no_paragraph_with_a_button_and_no_header(
    world: World, client_of: SignIn
) -> None:
    name = "Acme\n\nhttps://evil.example/\n\nBcc: all@example.test"
    Organization.objects.filter(pk=world.acme.pk).update(name=name)
    client_of(world.alice).post(
        "/settings/organization/acme/invitations/", {"email": "dana@example.test", "role": "reader"}
    )
    (message,) = mail.outbox
    text, html = parts(message)
    assert html.count("href=") == 1
    assert "https://evil.example" not in text + html
    assert message.recipients() == ["dana@example.test"]


def test_a_subject_is_one_line() -> None:
    assert compose(subject="One\r\nBcc: x@y.test", text="x", to="a@b.test").subject == "One Bcc: x@y.test"


def test_a_name_is_read_in_the_order_in_which_it_is_written() -> None:
    assert unlinked("moc.\u202elive") == "moc.\u200blive"


def test_ordinary_text_stays_as_it_is() -> None:
    text = "R&D <prod>, Acme Inc. owes $1,234.50 since 2026-11-26, 12:00. See dana@example.test"
    assert unlinked(text, but="dana@example.test") == text


def test_links_to_the_site_stay_within_a_text_and_nothing_hides_behind_what_is_kept() -> None:
    own = f"New model evil.com/x:\n{SITE}/prices/?q=evil.com"
    assert unlinked(own) == f"New model evil.\u200bcom/\u200bx:\n{SITE}/prices/?q=evil.com"
    assert unlinked("a@b.test.evil.com", but="a@b.test") == "a@\u200bb.\u200btest.\u200bevil.\u200bcom"
