"""Joining by invitation: where usage of one's keys counts from then on, and who sees that it counts elsewhere."""

import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.test import Client

from accounts.changes import change
from accounts.clock import database_now
from accounts.models import AuditEvent, Organization, User
from accounts.organizations import organizations
from metering.models import UsageEvent
from tests.accounts.members.test_invitations import NEWCOMER, is_in, link_of, send
from tests.engine import make_event, make_key, make_token, roll_up
from tests.engine import send as send_events
from tests.world import PASSWORD, World, join, make_user

SignIn = Callable[[User], Client]
CHOSEN = re.compile(r'<input type="radio" name="counts_in" value="(\w+)"[^>]*checked')
MEMBERS = "/settings/organization/acme/members/"
COVERAGE = "/settings/organization/acme/keys/"


@pytest.fixture
def dana(world: World) -> User:
    """A person with a personal organization, and nothing else."""
    with change() as now:
        return organizations.create_user(email=NEWCOMER, password=PASSWORD, now=now)


def use(user: User, event_id: str) -> Organization:
    """Where a request of now with a new key of the user counts."""
    event = make_event(id=event_id, api_key_id=make_key(user).public_id, timestamp=database_now())
    assert send_events([event], make_token()) == ["accepted"]
    roll_up()
    return Organization.objects.get(pk=UsageEvent.objects.latest("occurred_at").organization_id)


def default_of(user: User) -> Organization:
    found = User.objects.select_related("default_organization").get(pk=user.pk).default_organization
    assert found is not None
    return found


def test_the_new_organization_is_proposed_while_the_personal_one_has_never_had_usage(
    world: World, client_of: SignIn, dana: User
) -> None:
    path, client = send(client_of(world.alice)), client_of(dana)
    assert CHOSEN.findall(client.get(path).content.decode()) == ["new"]
    assert use(dana, "first").is_personal
    assert CHOSEN.findall(client.get(path).content.decode()) == ["before"]


def test_a_default_that_is_a_company_is_kept_unless_another_is_chosen(world: World, client_of: SignIn) -> None:
    dana = make_user(NEWCOMER, name="Dana", role="owner", organization=world.other)
    page = client_of(dana).get(send(client_of(world.alice))).content.decode()
    assert CHOSEN.findall(page) == ["before"]
    assert "<bdi>Other</bdi>" in page


@pytest.mark.parametrize("choice", ["new", "before"])
def test_usage_counts_where_the_person_who_joined_said(
    world: World, client_of: SignIn, dana: User, choice: str
) -> None:
    path, client = send(client_of(world.alice)), client_of(dana)
    page = client.post(f"{path}acceptance/", {"counts_in": choice}, follow=True).content.decode()
    expected = world.acme if choice == "new" else default_of(dana)
    assert is_in(dana, world.acme)
    assert default_of(dana) == expected
    assert f"Usage of your API keys counts in {expected.name}." in page
    assert use(dana, "first") == expected


def test_owners_read_in_the_log_that_usage_of_a_new_member_counts_here(
    world: World, client_of: SignIn, dana: User
) -> None:
    client_of(dana).post(f"{send(client_of(world.alice))}acceptance/", {"counts_in": "new"})
    events = AuditEvent.objects.filter(organization=world.acme).order_by("id").values_list("event", flat=True)
    assert list(events)[-3:] == ["user.added", "invite.accepted", "user.default_organization.added"]


@pytest.mark.parametrize(("sent", "status"), [({}, 302), ({"counts_in": ""}, 302), ({"counts_in": "acme"}, 200)])
def test_who_says_nothing_or_nonsense_changes_no_default(
    world: World, client_of: SignIn, dana: User, sent: dict[str, str], status: int
) -> None:
    before = default_of(dana)
    answer = client_of(dana).post(f"{send(client_of(world.alice))}acceptance/", sent)
    assert answer.status_code == status
    assert is_in(dana, world.acme) == (status == 302)
    assert default_of(dana) == before


def test_a_person_without_an_organization_gets_the_one_they_join(world: World, client_of: SignIn, dana: User) -> None:
    User.objects.filter(pk=dana.pk).update(default_organization=None)
    path, client = send(client_of(world.alice)), client_of(dana)
    page = client.get(path).content.decode()
    assert CHOSEN.findall(page) == ["new"]
    assert "Personal" not in page
    client.post(f"{path}acceptance/", {"counts_in": "new"})
    assert default_of(dana) == world.acme


def test_who_registers_by_invitation_is_asked_too(world: World, client_of: SignIn) -> None:
    send(client_of(world.alice))
    path, browser = link_of(mail.outbox[-1]), Client()
    signup = browser.post(f"{path}registration/")
    data = {"email": NEWCOMER, "password1": PASSWORD, "next": path}
    page = browser.post(signup["Location"], data, follow=True).content.decode()
    assert CHOSEN.findall(page) == ["new"]
    browser.post(f"{path}acceptance/", {"counts_in": "new"})
    assert default_of(User.objects.get(email=NEWCOMER)) == world.acme


def test_members_and_key_coverage_mark_whose_usage_counts_elsewhere(
    world: World, client_of: SignIn, dana: User
) -> None:
    for path in (MEMBERS, COVERAGE):
        assert "Default elsewhere" not in client_of(world.alice).get(path).content.decode()
    join(dana, world.acme, role="reader")
    for path in (MEMBERS, COVERAGE):
        page = client_of(world.alice).get(path).content.decode()
        (row,) = [row for row in page.split("<tr>") if NEWCOMER in row]
        assert "Default elsewhere" in row
        assert page.count(">Default elsewhere<") == 1
        assert "Personal" not in row
