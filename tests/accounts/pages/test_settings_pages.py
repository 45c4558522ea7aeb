"""Profile, organization and members pages."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.clock import database_now
from accounts.models import DefaultOrganizationChange, Membership, User
from accounts.organizations.organizations import remove_member
from tests.world import LONG_AGO, World, join, make_user

SignIn = Callable[[User], Client]
PROFILE = "/settings/profile/"
DEFAULT = "/settings/profile/default-organization/"
GENERAL = "/settings/organization/acme/"
MEMBERS = "/settings/organization/acme/members/"


def test_the_profile_shows_the_name_and_what_the_default_organization_does(world: World, client_of: SignIn) -> None:
    page = client_of(world.rita).get(PROFILE).content.decode()
    assert "Rita Rao" in page
    assert "rita@acme.test" in page
    assert "names no organization is counted here" in page


def test_the_name_is_changed(world: World, client_of: SignIn) -> None:
    answer = client_of(world.rita).post(PROFILE, {"name": "Rita R. 🦉"})
    assert answer.status_code == 302
    world.rita.refresh_from_db()
    assert world.rita.name == "Rita R. 🦉"


@pytest.mark.parametrize("name", ["x" * 121, "a\x00b", "a\x1bb"])
def test_a_bad_name_is_refused_with_a_sentence(world: World, client_of: SignIn, name: str) -> None:
    answer = client_of(world.rita).post(PROFILE, {"name": name})
    assert "field-error" in answer.content.decode()
    world.rita.refresh_from_db()
    assert world.rita.name == "Rita Rao"


def test_a_name_posted_with_other_fields_changes_the_name_alone(world: World, client_of: SignIn) -> None:
    client_of(world.rita).post(PROFILE, {"name": "Rita", "email": "x@y.test", "is_staff": "on", "is_superuser": "on"})
    world.rita.refresh_from_db()
    assert (world.rita.email, world.rita.is_staff, world.rita.is_superuser) == ("rita@acme.test", False, False)


def test_the_default_organization_changes_from_now_on(world: World, client_of: SignIn) -> None:
    join(world.rita, world.labs, role="reader")
    before = database_now()
    client = client_of(world.rita)
    answer = client.post(DEFAULT, {"organization": world.labs.public_id})
    assert answer.status_code == 302
    world.rita.refresh_from_db()
    assert world.rita.default_organization == world.labs
    change = DefaultOrganizationChange.objects.get(user=world.rita, organization=world.labs)
    assert before <= change.effective_at <= database_now()
    assert "Default organization changed to Acme Labs." in client.get(PROFILE).content.decode()


def test_the_same_default_again_writes_nothing(world: World, client_of: SignIn) -> None:
    client_of(world.rita).post(DEFAULT, {"organization": world.acme.public_id})
    assert DefaultOrganizationChange.objects.filter(user=world.rita).count() == 1


@pytest.mark.parametrize("other", ["other", "left", "nonsense", "number"])
def test_only_an_organization_that_one_is_in_now_can_be_the_default(
    world: World, client_of: SignIn, other: str
) -> None:
    Membership.objects.create(
        user=world.rita,
        organization=world.japan,
        role="reader",
        joined_at=LONG_AGO,
        left_at=LONG_AGO + timedelta(days=1),
    )
    value = {
        "other": world.other.public_id,
        "left": world.japan.public_id,
        "nonsense": "org_\x00",
        "number": str(world.acme.id),
    }[other]
    answer = client_of(world.rita).post(DEFAULT, {"organization": value})
    assert "field-error" in answer.content.decode()
    world.rita.refresh_from_db()
    assert world.rita.default_organization == world.acme


def test_the_organization_page_shows_parent_and_children(world: World, client_of: SignIn) -> None:
    page = client_of(world.alice).get(GENERAL).content.decode()
    assert world.acme.public_id in page
    assert "Acme Japan" in page
    join(world.rita, world.labs, role="reader")
    child = client_of(world.rita).get("/settings/organization/acme-labs/").content.decode()
    assert "Billed to" in child


def test_an_organization_that_one_is_not_in_does_not_exist(world: World, client_of: SignIn) -> None:
    for address in (GENERAL, MEMBERS, "/settings/organization/acme-labs/"):
        assert client_of(world.charlie).get(address).status_code == 404


def test_owners_and_admins_see_the_members_and_readers_a_reason(world: World, client_of: SignIn) -> None:
    for user in (world.alice, world.bob):
        page = client_of(user).get(MEMBERS).content.decode()
        assert "rita@acme.test" in page
        assert "charlie@other.test" not in page
    refused = client_of(world.rita).get(MEMBERS)
    assert refused.status_code == 403
    assert "Only owners and admins" in refused.content.decode()


def test_a_former_member_is_not_listed(world: World, client_of: SignIn) -> None:
    join(world.rita, world.labs, role="reader")
    remove_member(organization=world.acme, user=world.rita, now=database_now())
    assert "rita@acme.test" not in client_of(world.alice).get(MEMBERS).content.decode()


def test_the_members_page_needs_the_same_queries_however_many_there_are(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        make_user(f"member{number}@acme.test", name=f"Member {number}", role="reader", organization=world.acme)
    client = client_of(world.alice)
    client.get(MEMBERS)
    with django_assert_max_num_queries(10):
        client.get(MEMBERS)
