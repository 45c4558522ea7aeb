"""The named world: Alice owns Acme, Bob administers it, Rita reads, Charlie is an outsider.

Acme is the parent of Acme Labs and Acme Japan, and everybody's default organization is the one of their story.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

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
    """The named world, in the database."""
    acme = make_organization("Acme")
    other = make_organization("Other")
    return World(
        alice=make_user("alice@acme.test", name="Alice Ames", role=Role.OWNER, organization=acme),
        bob=make_user("bob@acme.test", name="Bob Byrd", role=Role.ADMIN, organization=acme),
        rita=make_user("rita@acme.test", name="Rita Rao", role=Role.READER, organization=acme),
        charlie=make_user("charlie@other.test", name="Charlie Cole", role=Role.OWNER, organization=other),
        acme=acme,
        labs=make_organization("Acme Labs", parent=acme),
        japan=make_organization("Acme Japan", parent=acme),
        other=other,
    )


def make_organization(name: str, *, parent: Organization | None = None) -> Organization:
    """An organization whose address is its name in lower case with hyphens."""
    return Organization.objects.create(name=name, slug=name.lower().replace(" ", "-"), parent=parent)


@transaction.atomic
def make_user(email: str, *, name: str, role: str, organization: Organization) -> User:
    """A person with the password of the world, long since in the organization, which is their default."""
    user = User.objects.create_user(email, PASSWORD, name=name, default_organization=organization)
    join(user, organization, role=role)
    DefaultOrganizationChange.objects.create(user=user, organization=organization, effective_at=LONG_AGO)
    return user


def join(user: User, organization: Organization, *, role: str, joined_at: datetime = LONG_AGO) -> Membership:
    """The user is in the organization from `joined_at` on."""
    return Membership.objects.create(user=user, organization=organization, role=role, joined_at=joined_at)
