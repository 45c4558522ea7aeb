"""Staff's page of operator tokens: made, shown once, used, revoked, and only by who may."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, User
from apikeys import secrets
from apikeys.models import OperatorToken
from tests.provisioning import Operator, refusal
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/operator-tokens/"
SECRET = re.compile(r"op-[0-9A-Za-z]{40}")
NEW = {"name": "CRM", "scopes": ["organizations", "users"], "expires_in_days": "30"}


def text_of(page: Any) -> str:
    return " ".join(page.content.decode().split())


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    return client_of(world.charlie)


def test_staff_makes_a_token_and_sees_its_secret_once(staff: Client, world: World) -> None:
    shown = staff.post(PAGE, NEW, follow=True)
    (secret,) = set(SECRET.findall(text_of(shown)))
    token = OperatorToken.objects.get()
    assert (bytes(token.digest), token.redacted) == (secrets.digest(secret), f"op-...{secret[-3:]}")
    assert (token.scopes, token.created_by) == (["organizations", "users"], world.charlie)
    assert "has been shown already" in text_of(staff.get(shown.redirect_chain[-1][0]))
    assert Operator(secret).get("organizations")[0] == 200
    listed = text_of(staff.get(PAGE))
    assert "organizations, users" in listed
    assert '<td data-label="Last used" class="nowrap"> <time' in listed
    assert not SECRET.search(listed)


def test_a_revoked_token_opens_nothing_and_stays_on_record(staff: Client) -> None:
    (secret,) = set(SECRET.findall(text_of(staff.post(PAGE, NEW, follow=True))))
    address = f"{PAGE}{OperatorToken.objects.get().public_id}/revocation/"
    assert "cannot be undone" in text_of(staff.get(address))
    assert Operator(secret).get("users")[0] == 200
    page = staff.post(address, follow=True)
    assert "“CRM” was revoked" in text_of(page)
    assert refusal(Operator(secret).get("users")) == (401, "invalid_operator_token")
    assert staff.post(address).status_code == 404
    events = AuditEvent.objects.filter(event__startswith="operator_token.").order_by("id")
    assert [event.event for event in events] == ["operator_token.created", "operator_token.deleted"]


def test_without_the_right_staff_reads_or_nothing(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)
    client = client_of(world.bob)
    assert client.get(PAGE).status_code == 403
    world.bob.user_permissions.add(Permission.objects.get(codename="view_operatortoken"))
    assert "Create token" not in text_of(client.get(PAGE))
    assert client.post(PAGE, NEW).status_code == 403
    assert not OperatorToken.objects.exists()


def test_staff_without_a_second_factor_is_led_to_one(staff: Client, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    assert staff.post(PAGE, NEW).status_code == 403
    assert not OperatorToken.objects.exists()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"scopes": []}, "Choose what the token may do."),
        ({"scopes": ["everything"]}, "Select a valid choice."),
        ({"name": " "}, "Enter a name."),
        ({"name": "x" * 121}, "at most 120 characters"),
        ({"name": "op-" + "x" * 40}, "This looks like a secret."),
    ],
)
def test_what_no_token_can_be_is_said(staff: Client, changed: dict[str, Any], sentence: str) -> None:
    assert sentence in text_of(staff.post(PAGE, {**NEW, **changed}))
    assert not OperatorToken.objects.exists()
