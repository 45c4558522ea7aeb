"""The world of a walk over all addresses: somebody for each role, signed in, and one of everything that an address names."""

from dataclasses import dataclass

from django.conf import settings
from django.test import Client

from accounts.audit.audit import Actor
from accounts.changes import organization_change, routing_change
from accounts.members import invitations
from accounts.models import Invitation, Organization, User
from accounts.projects.attributes import declare
from accounts.projects.projects import make_project
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.keys import keys
from tests.world import LONG_AGO, World, make_organization, make_user, make_world


@dataclass(frozen=True)
class Walked:
    """`sessions` are those of the roles that are signed in; `ids` say what the placeholders of addresses stand for."""

    world: World
    sessions: dict[str, str]
    ids: dict[str, str]


def make_walked() -> Walked:
    world = make_world()
    api_key, _ = keys.create_api_key(user=world.bob, name="Laptop", created_at=LONG_AGO)
    member = make_user("mia@acme.test", name="Mia", role="reader", organization=world.acme)
    with routing_change() as now:
        token = invitations.invite(
            organization=world.acme,
            email="nobody@example.test",
            role="reader",
            invited_by=world.alice,
            now=now,
            actor=Actor(),
        )
    with organization_change(world.acme) as now:
        project = make_project(organization=world.acme, name="Checkout")
        declare(organization=world.acme, name="team", title="Team", now=now)
    admin_key, _ = create_admin_key(organization=world.acme, name="Grafana", scopes=["usage"], now=now)
    people = {
        "outsider": world.charlie,
        "reader": world.rita,
        "reader_without_visibility": world.rita,
        "admin": world.bob,
        "owner": world.alice,
        "parent_owner": make_user("paula@parent.test", name="Paula", role="owner", organization=parent_of(world.acme)),
        "staff": make_staff(world.other),
    }
    ids = {
        "members/<slug:public_id>": member.public_id,
        "users/<slug:public_id>": member.public_id,
        "requests/<slug:public_id>": member.public_id,
        "invitations/<slug:public_id>": Invitation.objects.get().public_id,
        "projects/<slug:public_id>": project.public_id,
        "admin-keys/<slug:public_id>": admin_key.public_id,
        "<slug:name>": "team",
        "<slug:step>": "mail",
        "<slug:public_id>": api_key.public_id,
        "<slug:token>": token,
        "<slug:digest>": "0" * 64,
        "<slug:slug>": "acme",
        "<str:number>": "INV-2026-0001",
    }
    return Walked(world, {role: session_of(user) for role, user in people.items()}, ids)


def session_of(user: User) -> str:
    """The cookie of a browser in which the user has signed in."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def parent_of(organization: Organization) -> Organization:
    """A new organization that pays for this one; what it paid for before is its own again."""
    organization.children.update(parent=None)
    parent = make_organization("Parent")
    Organization.objects.filter(pk=organization.pk).update(parent=parent)
    return parent


def make_staff(organization: Organization) -> User:
    user = make_user("sam@operator.test", name="Sam", role="reader", organization=organization)
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    return user
