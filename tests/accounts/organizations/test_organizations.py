"""At least one owner, always a default organization, and a dated history (`accounts.organizations.organizations`)."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.changes import routing_change
from accounts.models import DefaultOrganizationChange, Membership, Organization, User
from accounts.organizations import many, organizations
from tests.world import World, join

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def defaults_of(user: User) -> list[tuple[str, datetime]]:
    changes = DefaultOrganizationChange.objects.filter(user=user).order_by("effective_at")
    return list(changes.values_list("organization__slug", "effective_at"))


def test_a_new_user_owns_a_personal_organization_that_is_the_default() -> None:
    user = organizations.create_user(email="Dana@Example.test", name="Dana", password="long enough", now=NOW)
    personal = user.default_organization
    assert personal is not None
    assert personal.is_personal
    assert user.email == "dana@example.test"
    assert Membership.objects.get(user=user).role == Membership.Role.OWNER
    assert defaults_of(user) == [(personal.slug, NOW)]


def test_an_email_is_taken_whatever_its_case(world: World) -> None:
    with pytest.raises(organizations.EmailTakenError):
        organizations.create_user(email="ALICE@acme.test", now=NOW)


def test_an_address_does_not_tell_whether_there_is_another_organization_of_that_name(world: World) -> None:
    names = ["Acme", "ACME!", "Never heard of", "Acme"]
    made = [organizations.create_organization(name=name, owner=world.alice, now=NOW).slug for name in names]
    assert len(set(made)) == len(names)
    for slug, start in zip(made, ["acme", "acme", "never-heard-of", "acme"], strict=True):
        assert re.fullmatch(rf"{start}-[0-9a-z]{{8}}", slug)


def test_a_personal_address_does_not_tell_whose_it_is() -> None:
    user = organizations.create_user(email="dana@example.test", now=NOW)
    assert user.default_organization is not None
    assert re.fullmatch(r"personal-[0-9a-z]{8}", user.default_organization.slug)


def test_a_name_without_latin_letters_has_an_address_too(world: World) -> None:
    assert organizations.create_organization(name="株式会社", owner=world.alice, now=NOW).slug.startswith(
        "organization-"
    )


def test_consolidated_billing_has_one_level(world: World) -> None:
    with pytest.raises(organizations.ChangeRefusedError, match="cannot have children"):
        organizations.create_organization(name="Deep", owner=world.alice, now=NOW, parent=world.labs)


def test_a_member_is_added_once(world: World) -> None:
    organizations.add_member(organization=world.labs, user=world.rita, role="reader", now=NOW)
    with pytest.raises(organizations.AlreadyMemberError):
        organizations.add_member(organization=world.labs, user=world.rita, role="admin", now=NOW)


def test_the_last_owner_cannot_be_removed(world: World) -> None:
    join(world.alice, world.labs, role="reader")
    with pytest.raises(organizations.LastOwnerError):
        organizations.remove_member(organization=world.acme, user=world.alice, now=NOW)
    join(world.charlie, world.acme, role="owner")
    organizations.remove_member(organization=world.acme, user=world.alice, now=NOW)
    assert not Membership.objects.filter(organization=world.acme, user=world.alice, left_at__isnull=True).exists()


def test_leaving_the_default_organization_moves_the_default_to_the_personal_one_first(world: World) -> None:
    join(world.rita, world.labs, role="reader")
    personal = organizations.create_organization(name="Personal", owner=world.rita, now=NOW, is_personal=True)
    organizations.remove_member(organization=world.acme, user=world.rita, now=LATER)
    world.rita.refresh_from_db()
    assert world.rita.default_organization == personal
    assert defaults_of(world.rita)[-1] == (personal.slug, LATER)
    assert Membership.objects.get(user=world.rita, organization=world.acme).left_at == LATER


def test_leaving_another_organization_leaves_the_default_alone(world: World) -> None:
    join(world.rita, world.labs, role="reader")
    organizations.remove_member(organization=world.labs, user=world.rita, now=LATER)
    world.rita.refresh_from_db()
    assert world.rita.default_organization == world.acme
    assert len(defaults_of(world.rita)) == 1


def test_the_only_organization_cannot_be_left(world: World) -> None:
    with pytest.raises(organizations.OnlyOrganizationError):
        organizations.remove_member(organization=world.acme, user=world.rita, now=NOW)


def test_a_former_member_can_come_back_and_the_first_time_stays_in_the_history(world: World) -> None:
    join(world.rita, world.labs, role="reader")
    organizations.remove_member(organization=world.labs, user=world.rita, now=NOW)
    organizations.add_member(organization=world.labs, user=world.rita, role="admin", now=LATER)
    assert Membership.objects.filter(user=world.rita, organization=world.labs).count() == 2


def test_the_default_organization_must_be_one_of_the_users(world: World) -> None:
    with pytest.raises(organizations.NotAMemberError):
        organizations.set_default_organization(user=world.rita, organization=world.other, now=NOW)


def test_a_former_organization_cannot_be_the_default(world: World) -> None:
    join(world.rita, world.labs, role="reader")
    organizations.remove_member(organization=world.labs, user=world.rita, now=NOW)
    with pytest.raises(organizations.NotAMemberError):
        organizations.set_default_organization(user=world.rita, organization=world.labs, now=LATER)


def test_a_change_of_the_default_is_dated(world: World) -> None:
    join(world.rita, world.labs, role="reader")
    assert organizations.set_default_organization(user=world.rita, organization=world.labs, now=NOW)
    assert not organizations.set_default_organization(user=world.rita, organization=world.labs, now=LATER)
    assert defaults_of(world.rita)[1:] == [("acme-labs", NOW)]


def test_nobody_comes_into_an_organization_that_has_ended(world: World) -> None:
    organizations.end_organization(organization=world.other, now=NOW)
    with pytest.raises(organizations.ChangeRefusedError, match="has ended"):
        organizations.add_member(organization=world.other, user=world.rita, role="reader", now=LATER)
    new = Membership(organization=world.other, user=world.rita, role="reader", joined_at=NOW)
    with pytest.raises(organizations.ChangeRefusedError, match="has ended"):
        many.add_members([new], actor=SYSTEM_ACTOR)
    assert not Membership.objects.filter(organization=world.other, left_at__isnull=True).exists()


def test_the_default_cannot_be_changed_in_the_past(world: World) -> None:
    join(world.rita, world.labs, role="reader")
    organizations.set_default_organization(user=world.rita, organization=world.labs, now=LATER)
    with pytest.raises(ValueError, match="forward only"):
        organizations.set_default_organization(user=world.rita, organization=world.acme, now=NOW)


def test_two_changes_at_one_moment_leave_the_last_one(world: World) -> None:
    user = organizations.create_user(email="dana@example.test", now=NOW)
    organizations.add_member(organization=world.acme, user=user, role="reader", now=NOW)
    organizations.set_default_organization(user=user, organization=world.acme, now=NOW)
    assert defaults_of(user) == [("acme", NOW)]


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_leave_at_the_same_moment_leave_one_owner() -> None:
    with routing_change() as now:
        users = [organizations.create_user(email=f"owner{number}@example.test", now=now) for number in range(2)]
        shared = organizations.create_organization(name="Shared", owner=users[0], now=now)
        organizations.add_member(organization=shared, user=users[1], role="owner", now=now)
    with ThreadPoolExecutor(2) as threads:
        refused = list(threads.map(leave, [shared, shared], users))
    assert refused.count(True) == 1
    assert Membership.objects.filter(organization=shared, left_at__isnull=True, role="owner").count() == 1


def leave(organization: Organization, user: User) -> bool:
    """Whether leaving was refused because the user is the last owner."""
    try:
        with routing_change() as now:
            organizations.remove_member(organization=organization, user=user, now=now)
    except organizations.LastOwnerError:
        return True
    finally:
        connection.close()
    return False
