"""Every change that a role allows is judged again when it is made: who is put out, or given a lower role, at that moment has
made none afterwards. One table of all forms of an organization; a form without a row fails.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.audit.audit import SYSTEM_ACTOR, Actor
from accounts.changes import change, organization_change, routing_change
from accounts.clock import database_now
from accounts.members import invitations
from accounts.models import AuditEvent, Invitation, Membership, Organization, User
from accounts.organizations import organizations
from accounts.projects.attributes import declare
from accounts.projects.projects import archive_project, make_project
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.keys import keys
from apikeys.models import AdminKey
from apikeys.scimtokens.scimtokens import create_scim_token
from billing.alerts import Delivery, News, WebhookEndpoint
from billing.budgets.budgets import set_budget
from billing.notices import endpoints, outbox
from tests.accounts.test_access_walk import EXPECTED, NOBODY
from tests.database.undone import undone
from tests.database.waiting import until_somebody_waits
from tests.world import PASSWORD, World, join, make_user
from usage_dashboard.models import ScimGroup

SignIn = Callable[[User], Client]
Sent = dict[str, Any]
OF_ORGANIZATION: Final = "settings/organization/<slug:slug>/"
BUDGET_AMOUNT: Final = Decimal(50)
BUDGET: Final = {"amount": "100", "thresholds": "50", "about": "organization"}

# what is sent to each address; one that is allowed without a role stands in OF_ONESELF
FORMS: Final[dict[str, Sent]] = {
    "name/": {"name": "Acme Inc."},
    "usage-visibility/": {"usage_visibility": "owners_and_admins"},
    "members/<member>/role/": {"role": "admin"},
    "members/<member>/removal/": {},
    "invitations/": {"email": "dana@example.test", "role": "reader"},
    "invitations/<invitation>/resending/": {},
    "invitations/<invitation>/revocation/": {},
    "keys/requests/<member>/": {},
    "keys/<api_key>/attribution/": {"project": "", "replaces": "0", "attribute_team": "search"},
    "admin-keys/": {"name": "Grafana", "expires_in_days": "", "scopes": ["usage"]},
    "admin-keys/<admin_key>/revocation/": {},
    "projects/": {"name": "Search"},
    "projects/<project>/name/": {"name": "Search"},
    "projects/<project>/archival/": {},
    "projects/<archived>/restoration/": {},
    "attributes/": {"name": "feature", "title": "Feature"},
    "attributes/team/title/": {"title": "Squad"},
    "attributes/team/withdrawal/": {},
    "billing/details/": {"legal_name": "Acme Inc.", "address": "1 Main Street"},
    "billing/budgets/new/": BUDGET,
    "billing/budgets/<budget>/": BUDGET,
    "billing/budgets/<budget>/removal/": {},
    "billing/webhooks/": {"url": "http://127.0.0.1/new", "format": "standard", "event_types": [News.BUDGET]},
    "billing/webhooks/<webhook>/removal/": {},
    "billing/webhooks/<webhook>/test/": {},
    "billing/webhooks/<switched_off>/activation/": {},
    "billing/messages/<message>/again/": {},
    "provisioning/": {"name": "Okta", "expires_in_days": ""},
    "provisioning/<scim_token>/revocation/": {},
    "provisioning/groups/<group>/role/": {"role": "admin"},
}
OF_ONESELF: Final = {"departure/"}


def shape_of(address: str) -> str:
    """The address with the same mark for each of its changing parts."""
    parts = (":" if "<" in part or part == "team" else part for part in address.split("/"))
    return "/".join(parts)


def test_every_form_of_an_organization_has_a_row() -> None:
    changing = {
        pattern.removeprefix(OF_ORGANIZATION)
        for pattern, (_, answers) in EXPECTED.items()
        if pattern.startswith(OF_ORGANIZATION) and answers != NOBODY
    }
    assert {shape_of(pattern) for pattern in changing - OF_ONESELF} == {shape_of(address) for address in FORMS}


@pytest.fixture
def ids(world: World, settings: Settings) -> dict[str, object]:
    """What the addresses name, each as its form can change it."""
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    join(world.charlie, world.acme, role="owner")
    member = make_user("mia@acme.test", name="Mia", role="reader", organization=world.acme)
    join(member, world.other, role="reader")
    with routing_change() as now:
        api_key, _ = keys.create_api_key(user=member, name="Laptop", created_at=now)
        keys.set_tracking(api_key=api_key, tracked=False, now=now)
        invitations.invite(
            organization=world.acme,
            email="nobody@example.test",
            role="reader",
            invited_by=world.alice,
            now=now,
            actor=Actor(),
        )
        admin_key, _ = create_admin_key(organization=world.acme, name="Old", scopes=["usage"], now=now)
        scim_token, _ = create_scim_token(organization=world.acme, name="Old", now=now)
    with organization_change(world.acme) as now:
        project, archived = (make_project(organization=world.acme, name=name) for name in ("Checkout", "Old"))
        archive_project(project=archived, now=now)
        declare(organization=world.acme, name="team", title="Team", now=now)
    webhook, switched_off = (
        endpoints.add(world.acme, f"http://127.0.0.1/{name}", actor=SYSTEM_ACTOR) for name in ("one", "two")
    )
    WebhookEndpoint.objects.filter(pk=switched_off.pk).update(switched_off_at=now)
    message = outbox.test_message(webhook)
    Delivery.objects.update(next_attempt_at=None)
    return {
        "member": member.public_id,
        "api_key": api_key.public_id,
        "invitation": Invitation.objects.get().public_id,
        "admin_key": admin_key.public_id,
        "scim_token": scim_token.public_id,
        "project": project.public_id,
        "archived": archived.public_id,
        "webhook": webhook.pk,
        "switched_off": switched_off.pk,
        "message": message.pk,
        "budget": set_budget(world.acme, amount=BUDGET_AMOUNT, thresholds=[50], is_hard=False, actor=SYSTEM_ACTOR).pk,
        "group": ScimGroup.objects.create(organization=world.acme, name="Admins", updated_at=now).public_id,
    }


def made() -> tuple[object, ...]:
    """What tells of a change, whichever it was."""
    messages = list(Delivery.objects.order_by("pk").values_list("pk", "next_attempt_at"))
    return AuditEvent.objects.count(), messages, len(mail.outbox)


@contextmanager
def losing(user: User, organization: Organization, **lost: object) -> Iterator[None]:
    """In the moment before a change holds the organization, another that held it has made this of the user's membership."""
    membership = Membership.objects.filter(user=user, organization=organization, left_at__isnull=True)
    is_over = False

    def before(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal is_over
        if not is_over and '"accounts_organization"' in sql and "FOR NO KEY UPDATE" in sql:
            is_over = True
            membership.update(**lost)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(before):
        yield
    assert is_over, "Nothing held the organization."


@pytest.mark.parametrize("address", FORMS)
@pytest.mark.parametrize("lost", ["the membership", "the role"])
def test_who_loses_what_allows_a_change_while_it_is_made_has_not_made_it(
    world: World, client_of: SignIn, ids: dict[str, object], address: str, lost: str
) -> None:
    client, data = client_of(world.alice), FORMS[address]
    for name, value in ids.items():
        address = address.replace(f"<{name}>", str(value))
    address = f"/settings/organization/acme/{address}"
    before = made()
    with undone():
        assert client.post(address, data).status_code == 302
        assert made() != before, "This is no change."
    mail.outbox.clear()
    before = made()
    how = {"left_at": database_now()} if lost == "the membership" else {"role": "reader"}
    with losing(world.alice, world.acme, **how):
        answer = client.post(address, data)
    assert made() == before
    refused = 403 if lost == "the role" else 404
    says_why = address.split("/")[4] in {"members", "invitations"}
    assert answer.status_code in ({200, 302} if says_why else {refused})


@pytest.mark.django_db(transaction=True)
def test_an_owner_who_is_removed_at_that_moment_leaves_no_admin_key_behind(client_of: SignIn) -> None:
    """With two connections: the removal holds the organization until the other has been let in and waits."""
    with routing_change() as now:
        alice, bob = (
            organizations.create_user(email=f"{name}@example.test", password=PASSWORD, now=now)
            for name in ("alice", "bob")
        )
        shared = organizations.create_organization(name="Shared", owner=alice, now=now)
        organizations.add_member(organization=shared, user=bob, role="owner", now=now)
    client = client_of(bob)
    address = f"/settings/organization/{shared.slug}/admin-keys/"

    def make() -> int:
        try:
            return client.post(address, {"name": "Mine", "expires_in_days": "", "scopes": ["usage"]}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with change() as now:
            organizations.remove_member(organization=shared, user=bob, now=now)
            answer = threads.submit(make)
            until_somebody_waits()
        assert answer.result(timeout=30) == 404
    assert not AdminKey.objects.exists()
