"""The security log: sign-ins, refusals and changes of what lets a person in; for the person, staff and, in part, owners."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEvent, Organization, SecurityEvent, User
from accounts.tasks import drop_old_security_events
from tests.entrance import NEWCOMER, RESET, SECOND_FACTOR, SIGN_IN, confirm, link_in, sign_in, totp_code, with_app
from tests.world import PASSWORD, World, join

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/settings/security/"
MISTYPED = "correct horse batery staple"


def events(user: User | None) -> list[tuple[str, str]]:
    """What happened and how, the earliest first."""
    return list(SecurityEvent.objects.filter(user=user).order_by("id").values_list("event", "method"))


def test_a_sign_in_is_shown_with_when_from_where_and_by_what(world: World) -> None:
    browser = Client(headers={"user-agent": "Firefox/140 <b>"}, REMOTE_ADDR="192.0.2.7")
    sign_in("rita@acme.test", client=browser)
    assert events(world.rita) == [("sign_in", "password")]
    page = browser.get(PAGE).content.decode()
    for words in ("Signed in", "password", "192.0.2.7", "Firefox/140 &lt;b&gt;"):
        assert words in page


def test_people_see_their_own_entries_alone(world: World, client_of: SignIn) -> None:
    sign_in("rita@acme.test", MISTYPED)
    assert "Sign-in refused" in client_of(world.rita).get(PAGE).content.decode()
    assert "Sign-in refused" not in client_of(world.alice).get(PAGE).content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_second_factor_is_recorded_from_its_beginning_to_its_end(world: World) -> None:
    client, secret = with_app("rita@acme.test")
    browser, _ = sign_in("rita@acme.test")
    browser.post(SECOND_FACTOR, {"code": "000000"})
    browser.post(SECOND_FACTOR, {"code": totp_code(secret)})
    client.post("/accounts/2fa/recovery-codes/generate/")
    client.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.exists()
    assert events(world.rita) == [
        ("sign_in", "password"),
        ("second_factor.added", "authenticator app"),
        ("second_factor.added", "recovery code"),
        ("second_factor.refused", "authenticator app"),
        ("sign_in", "password, authenticator app"),
        ("second_factor.renewed", ""),
        ("second_factor.removed", "authenticator app"),
        ("second_factor.removed", "recovery code"),
    ]


def test_refusals_are_recorded_and_never_what_was_typed(world: World) -> None:
    sign_in("rita@acme.test", MISTYPED)
    sign_in(f"{MISTYPED.replace(' ', '')}@example.test", PASSWORD)
    User.objects.filter(pk=world.bob.pk).update(is_active=False)
    sign_in("bob@acme.test")
    assert events(world.rita) == [("sign_in.refused", "password")]
    assert events(None) == [("sign_in.refused", "password")]
    assert events(world.bob) == [("sign_in.refused", "the account is closed")]
    everything = repr(list(SecurityEvent.objects.values())) + repr(list(AuditEvent.objects.values()))
    for secret in (MISTYPED, MISTYPED.replace(" ", ""), PASSWORD):
        assert secret not in everything


def test_being_locked_out_is_recorded_once_in_a_while(world: World, settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "locked"}}
    for _ in range(8):
        sign_in("rita@acme.test", MISTYPED)
    assert [event for event, _ in events(world.rita)] == [*["sign_in.refused"] * 5, "sign_in.locked"]


def test_being_locked_out_of_the_second_factor_is_recorded_for_the_person(world: World, settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "factor"}}
    with_app("rita@acme.test")
    browser, _ = sign_in("rita@acme.test")
    for _ in range(7):
        browser.post(SECOND_FACTOR, {"code": "000000"})
    happened = [event for event, _ in events(world.rita)]
    assert happened[-1] == "sign_in.locked"
    assert happened.count("sign_in.locked") == 1
    assert happened.count("second_factor.refused") == 5


def test_a_password_that_is_changed_or_chosen_anew_is_recorded(world: World) -> None:
    client, _ = sign_in("rita@acme.test")
    new = {"oldpassword": PASSWORD, "password1": "another good one", "password2": "another good one"}
    client.post("/accounts/password/change/", new)
    Client().post(RESET, {"email": "rita@acme.test"})
    browser = Client()
    form = browser.get(link_in(mail.outbox[-1]))["Location"]
    browser.post(form, {"password1": "a third good one", "password2": "a third good one"})
    assert [event for event, _ in events(world.rita)] == ["sign_in", "password.changed", "password.changed"]


def test_an_email_that_becomes_the_main_one_is_recorded(world: World) -> None:
    client, _ = sign_in("rita@acme.test")
    confirm(client)
    client.post("/accounts/email/", {"email": NEWCOMER, "action_add": ""})
    client.post(link_in(mail.outbox[-1]))
    client.post("/accounts/email/", {"email": NEWCOMER, "action_primary": ""})
    client.post("/accounts/email/", {"email": "rita@acme.test", "action_remove": ""})
    happened = [event for event, _ in events(world.rita)]
    assert happened == ["sign_in", "email.added", "email.confirmed", "email.changed", "email.removed"]
    entry = AuditEvent.objects.get(organization=world.acme, event="user.email.changed")
    assert entry.details == {"email": NEWCOMER, "before": "rita@acme.test"}


def test_the_end_of_a_session_is_recorded_here_and_from_another_browser(world: World) -> None:
    here, _ = sign_in("rita@acme.test")
    sign_in("rita@acme.test")
    here.post("/accounts/sessions/")
    here.post("/accounts/logout/")
    assert events(world.rita)[2:] == [("session.ended", "from another browser"), ("session.ended", "")]


@pytest.mark.django_db(transaction=True)
def test_organizations_learn_of_their_members_second_factors_and_not_where_they_were(world: World) -> None:
    personal = Organization.objects.create(name="Personal", slug="rita", is_personal=True)
    join(world.rita, personal, role="owner")
    client, _ = with_app("rita@acme.test")
    client.post("/accounts/2fa/totp/deactivate/")
    found = AuditEvent.objects.filter(event__startswith="user.second_factor").order_by("id")
    assert [(entry.event, entry.organization, entry.details, entry.address) for entry in found] == [
        (f"user.second_factor.{change}", world.acme, {"kind": "authenticator app"}, None)
        for change in ("added", "removed")
    ]


def test_staff_finds_the_sign_ins_of_a_person(world: World, client_of: SignIn) -> None:
    sign_in("rita@acme.test", MISTYPED)
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    page = client_of(world.alice).get("/admin/accounts/securityevent/", {"q": "rita@acme.test"}).content.decode()
    assert "sign_in.refused" in page


def test_entries_are_dropped_after_their_time(world: World, settings: Settings) -> None:
    sign_in("rita@acme.test")
    sign_in("rita@acme.test")
    first = SecurityEvent.objects.order_by("id")[0]
    old = timezone.now() - timedelta(days=settings.SECURITY_LOG_RETENTION_DAYS, seconds=1)
    SecurityEvent.objects.filter(pk=first.pk).update(occurred_at=old)
    drop_old_security_events()
    assert not SecurityEvent.objects.filter(pk=first.pk).exists()
    assert SecurityEvent.objects.count() == 1


def test_a_header_with_a_zero_byte_is_no_error(world: World) -> None:
    answer = Client(headers={"user-agent": "a\0b"}).post(SIGN_IN, {"login": "rita@acme.test", "password": MISTYPED})
    assert answer.status_code == 200
