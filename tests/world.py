"""The named world: Alice owns Acme, Bob administers it, Rita reads, Charlie is an outsider.

Acme is the parent of Acme Labs and Acme Japan, and everybody's default organization is the one of their story.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts.emails import normalized
from accounts.models import DefaultOrganizationChange, Membership, Organization, User

LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
Role = Membership.Role


@dataclass(frozen=True)
class World:
    """People and organizations of the named world."""

    alice: User
    bob: User
    rita: User
    charlie: User
    acme: Organization
    labs: Organization
    japan: Organization
    other: Organization


def make_world() -> World:
    """The named world, in the database: most tests begin with it, so it takes few statements."""
    acme, other = Organization.objects.bulk_create([named("Acme"), named("Other")])
    labs, japan = Organization.objects.bulk_create([named("Acme Labs", parent=acme), named("Acme Japan", parent=acme)])
    alice, bob, rita, charlie = make_users(
        ("alice@acme.test", "Alice Ames", Role.OWNER, acme),
        ("bob@acme.test", "Bob Byrd", Role.ADMIN, acme),
        ("rita@acme.test", "Rita Rao", Role.READER, acme),
        ("charlie@other.test", "Charlie Cole", Role.OWNER, other),
    )
    return World(alice, bob, rita, charlie, acme, labs, japan, other)


def make_organization(name: str, *, parent: Organization | None = None) -> Organization:
    organization = named(name, parent=parent)
    organization.save(force_insert=True)
    return organization


def named(name: str, *, parent: Organization | None = None) -> Organization:
    """An organization whose address is its name in lower case with hyphens, not yet in the database."""
    return Organization(name=name, slug=name.lower().replace(" ", "-"), parent=parent)


def make_user(email: str, *, name: str, role: str, organization: Organization) -> User:
    (user,) = make_users((email, name, role, organization))
    return user


@transaction.atomic
def make_users(*people: tuple[str, str, str, Organization]) -> list[User]:
    """People (email, name, role, organization) with the password of the world, long since in the organization, their default."""
    users = User.objects.bulk_create(
        User(email=normalized(email), password=make_password(PASSWORD), name=name, default_organization=organization)
        for email, name, _, organization in people
    )
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )
    Membership.objects.bulk_create(
        Membership(user=user, organization=organization, role=role, joined_at=LONG_AGO)
        for user, (_, _, role, organization) in zip(users, people, strict=True)
    )
    DefaultOrganizationChange.objects.bulk_create(
        DefaultOrganizationChange(user=user, organization=user.default_organization, effective_at=LONG_AGO)
        for user in users
    )
    return users


def join(user: User, organization: Organization, *, role: str, joined_at: datetime = LONG_AGO) -> Membership:
    """The user is in the organization from `joined_at` on."""
    return Membership.objects.create(user=user, organization=organization, role=role, joined_at=joined_at)
