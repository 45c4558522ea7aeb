"""The Users pages of staff: who has an account, and what support does for them, on record and within rights."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.audit.log import entries_of
from accounts.clock import database_now
from accounts.models import AuditEvent, SecurityEvent, User
from accounts.organizations import organizations
from accounts.people.listing import PAGE_ROWS, find, page_of
from tests.world import PASSWORD, World

SignIn = Callable[[User], Client]
PAGE = "/settings/users/"
ACTIONS = ("deactivation", "reactivation", "signing-out", "password-reset", "second-factor")


@pytest.fixture
def sam(world: World) -> User:
    """Staff that may look at people and support them."""
    user = User.objects.create_user("sam@operator.test", PASSWORD, name="Sam", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user"]))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def staff(sam: User, client_of: SignIn) -> Client:
    return client_of(sam)


def of(user: User, action: str = "") -> str:
    return f"{PAGE}{user.public_id}/{action}/" if action else f"{PAGE}{user.public_id}/"


def text(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def add_factor(user: User) -> None:
    Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
    Authenticator.objects.create(user=user, type="recovery_codes", data={"seed": "x"})


def signed_in_browser(user: User) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert client.get("/settings/profile/").status_code == 200
    return client


def test_a_line_says_what_support_asks_first(world: World, staff: Client) -> None:
    add_factor(world.rita)
    world.bob.is_active = False
    world.bob.save()
    page = text(staff.get(PAGE))
    assert "rita@acme.test Rita Rao Acme Reader Authenticator app Never" in page
    assert "bob@acme.test Deactivated Bob Byrd Acme Admin None Never" in page
    assert "sam@operator.test Staff Sam None" in page


@pytest.mark.parametrize("asked", ["rita@", "RITA", "Rao"])
def test_a_person_is_found_by_part_of_address_or_name(world: World, staff: Client, asked: str) -> None:
    page = text(staff.get(PAGE, {"q": asked}))
    assert "rita@acme.test" in page
    assert "bob@acme.test" not in page


def test_a_person_is_found_by_their_ids(world: World) -> None:
    User.objects.filter(pk=world.rita.pk).update(external_id="crm-7")
    assert list(find(world.bob.public_id)) == [world.bob]
    assert list(find("crm-7")) == [world.rita]


@pytest.mark.parametrize("asked", ["%", "_", "nobody", "x" * 5000, "\0", "'; --"])
def test_signs_in_a_search_are_signs(staff: Client, asked: str) -> None:
    page = text(staff.get(PAGE, {"q": asked}))
    assert ("Nobody fits" in page) == (asked != "\0")


def test_ten_thousand_people_are_read_page_by_page_with_as_many_queries(
    world: World, staff: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    User.objects.bulk_create(
        User(email=f"p{number:05}@many.test", public_id=f"user_{number:017}") for number in range(10_000)
    )
    seen, after = set[str](), ""
    for _ in range(3):
        with django_assert_num_queries(3):
            page = page_of(find("@many.test"), after=after)
        assert len(page.people) == PAGE_ROWS
        seen |= {person.user.email for person in page.people}
        after = page.after
    assert len(seen) == 3 * PAGE_ROWS
    last = page_of(find("@many.test"), after="p09990@many.test")
    assert (len(last.people), last.after) == (9, "")
    answer = staff.get(PAGE, {"q": "@many.test", "after": "p00049@many.test"})
    assert "p00050@many.test" in text(answer)
    assert 'href="?q=%40many.test&amp;after=p00099%40many.test"' in answer.content.decode()


def test_the_page_of_a_person_says_where_they_are_and_what_happened(world: World, staff: Client) -> None:
    nina = organizations.create_user(email="nina@acme.test", now=database_now())
    SecurityEvent.objects.create(user=nina, event="sign_in.refused", method="password", address="198.51.100.7")
    page = text(staff.get(of(nina)))
    assert "Their personal organization" in page
    assert "Sign-in refused password" in page
    assert "198.51.100.7" not in page
    assert "This user is in no organization." in text(staff.get(of(User.objects.get(email="sam@operator.test"))))


def test_deactivating_asks_first_and_then_ends_every_session(world: World, staff: Client) -> None:
    browser = signed_in_browser(world.rita)
    assert "cannot sign in" in text(staff.get(of(world.rita, "deactivation")))
    answer = staff.post(of(world.rita, "deactivation"), follow=True)
    assert "rita@acme.test is deactivated and signed out." in text(answer)
    assert browser.get("/settings/profile/").status_code == 302
    assert AuditEvent.objects.get(event="user.deactivated").actor_name == "sam@operator.test"
    again = Client()
    again.post("/accounts/login/", {"login": "rita@acme.test", "password": PASSWORD})
    assert again.get("/settings/profile/").status_code == 302


def test_a_deactivated_person_can_be_let_in_again(world: World, staff: Client) -> None:
    User.objects.filter(pk=world.rita.pk).update(is_active=False)
    assert "Reactivate" in text(staff.get(of(world.rita)))
    staff.post(of(world.rita, "reactivation"))
    signed_in_browser(world.rita)
    assert AuditEvent.objects.filter(event="user.reactivated", target_name="rita@acme.test").count() == 1


def test_an_account_that_lost_its_address_stays_closed(world: World, staff: Client) -> None:
    User.objects.filter(pk=world.rita.pk).update(is_active=False, email=f"user-{world.rita.pk}@unconfirmed.invalid")
    assert "It stays closed." in text(staff.post(of(world.rita, "reactivation"), follow=True))
    world.rita.refresh_from_db()
    assert not world.rita.is_active


def test_signing_out_everywhere_ends_all_sessions_and_no_other_person_s(world: World, staff: Client) -> None:
    browsers, other = [signed_in_browser(world.rita), signed_in_browser(world.rita)], signed_in_browser(world.bob)
    staff.post(of(world.rita, "signing-out"))
    assert [browser.get("/settings/profile/").status_code for browser in browsers] == [302, 302]
    assert other.get("/settings/profile/").status_code == 200
    assert AuditEvent.objects.get(event="user.signed_out").details == {"sessions": 2}


def test_a_password_reset_goes_to_the_person_alone(world: World, staff: Client) -> None:
    answer = staff.post(of(world.rita, "password-reset"), follow=True)
    assert [message.to for message in mail.outbox] == [["rita@acme.test"]]
    assert "/accounts/password/reset/key/" in str(mail.outbox[0].body)
    assert "/password/reset/key/" not in answer.content.decode()
    assert AuditEvent.objects.filter(event="user.password_reset_sent").exists()


def test_a_server_that_takes_no_email_is_said(world: World, staff: Client, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 1
    assert "could not be sent" in text(staff.post(of(world.rita, "password-reset"), follow=True))


def test_ending_a_second_factor_is_told_to_person_and_organizations(world: World, staff: Client) -> None:
    browser = signed_in_browser(world.rita)
    add_factor(world.rita)
    assert "Be sure that it is them who asked" in text(staff.get(of(world.rita, "second-factor")))
    assert Authenticator.objects.filter(user=world.rita).count() == 2
    staff.post(of(world.rita, "second-factor"))
    assert not Authenticator.objects.filter(user=world.rita).exists()
    assert browser.get("/settings/profile/").status_code == 302
    assert [message.to for message in mail.outbox] == [["rita@acme.test"]]
    entries: list[Any] = list(entries_of(world.acme).filter(event="user.second_factor.removed"))
    assert [(entry.shown_actor, entry.target_name) for entry in entries] == [("Staff", "rita@acme.test")]
    assert SecurityEvent.objects.filter(user=world.rita, event="second_factor.removed", method="by staff").exists()


def test_who_has_no_second_factor_loses_none(world: World, staff: Client) -> None:
    assert "has no second factor" in text(staff.post(of(world.rita, "second-factor"), follow=True))
    assert not mail.outbox


@pytest.mark.parametrize("action", ACTIONS)
def test_staff_touches_no_other_staff_and_nobody_touches_themselves(
    world: World, sam: User, staff: Client, action: str
) -> None:
    User.objects.filter(pk=world.alice.pk).update(is_staff=True)
    add_factor(world.alice)
    assert "Only superusers" in text(staff.post(of(world.alice, action), follow=True))
    assert "This is your own account" in text(staff.post(of(sam, action), follow=True))
    assert Authenticator.objects.filter(user=world.alice).count() == 2
    assert set(User.objects.values_list("is_active", flat=True)) == {True}
    assert not mail.outbox


def test_a_superuser_may_deactivate_staff(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    User.objects.filter(pk=world.alice.pk).update(is_staff=True)
    client_of(User.objects.get(pk=world.charlie.pk)).post(of(world.alice, "deactivation"))
    assert not User.objects.get(pk=world.alice.pk).is_active


@pytest.mark.parametrize("action", ACTIONS)
def test_the_right_to_look_is_not_the_right_to_change(world: World, client_of: SignIn, action: str) -> None:
    world.charlie.is_staff = True
    world.charlie.save()
    world.charlie.user_permissions.add(Permission.objects.get(codename="view_user"))
    client = client_of(User.objects.get(pk=world.charlie.pk))
    assert "change nothing about them" in text(client.get(of(world.rita)))
    assert client.post(of(world.rita, action)).status_code == 403


def test_for_others_the_pages_do_not_exist(world: World, client_of: SignIn) -> None:
    client = client_of(world.alice)
    assert client.get(PAGE).status_code == 404
    assert client.get(of(world.rita)).status_code == 404
    assert client.post(of(world.rita, "deactivation")).status_code == 404


def test_a_closed_account_gets_no_password_reset(world: World, staff: Client) -> None:
    User.objects.filter(pk=world.rita.pk).update(is_active=False)
    assert "Reactivate it first" in text(staff.post(of(world.rita, "password-reset"), follow=True))
    assert not mail.outbox


def test_each_change_counts_for_the_limit_of_who_makes_it(world: World, staff: Client, settings: Any) -> None:
    settings.CHANGES_PER_MINUTE = 2
    codes = [staff.post(of(world.rita, "signing-out")).status_code for _ in range(3)]
    assert codes == [302, 302, 429]
