"""Limits per person: how often they may change what others' usage depends on, and how much they may make."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
from django.db import connection
from django.test import Client
from django.urls import resolve, reverse
from django.urls.converters import IntConverter, SlugConverter, StringConverter
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import limits
from accounts.audit.audit import SYSTEM_ACTOR
from accounts.changes import change
from accounts.clock import database_now
from accounts.limits import LimitReachedError
from accounts.members import invitations as inviting
from accounts.models import Invitation, Membership, Organization, Project, RoutingVersion, Spending, User
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.models import APIKey, TrackingChange
from billing.alerts import Budget, WebhookEndpoint
from billing.notices import outbox
from tests.engine import make_key
from tests.usage.what_for import declare, make_project
from tests.world import LONG_AGO, World, join

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
KEYS = "/settings/api-keys/"
ORGANIZATIONS = "/settings/organizations/"


def switch(client: Client, key: APIKey, tracked: str) -> int:
    return client.post(reverse("apikeys:tracking", args=[key.public_id]), {"tracked": tracked}).status_code


def test_beyond_the_limit_a_switch_is_refused_with_a_message_and_nothing_is_changed(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.CHANGES_PER_MINUTE = 2
    key, client = make_key(world.rita), client_of(world.rita)
    assert [switch(client, key, tracked) for tracked in ("off", "on")] == [302, 302]
    version = RoutingVersion.objects.get().version
    answer = client.post(reverse("apikeys:tracking", args=[key.public_id]), {"tracked": "off"})
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert 'id="keys"' in answer.content.decode()
    assert "Nothing was changed; try again in" in answer.content.decode()
    key.refresh_from_db()
    assert key.tracked
    assert RoutingVersion.objects.get().version == version


def test_another_person_has_limits_of_their_own(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.CHANGES_PER_MINUTE = 1
    hers, his = make_key(world.rita), make_key(world.bob)
    assert switch(client_of(world.rita), hers, "off") == 302
    assert switch(client_of(world.rita), hers, "on") == 429
    assert switch(client_of(world.bob), his, "off") == 302


def test_a_new_minute_begins_anew(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.CHANGES_PER_MINUTE = 1
    key, client = make_key(world.rita), client_of(world.rita)
    assert [switch(client, key, tracked) for tracked in ("off", "on")] == [302, 429]
    Spending.objects.filter(user=world.rita).update(began_at="2026-01-01T00:00:00Z")
    assert switch(client, key, "on") == 302


def make_archived_project(organization: Organization) -> Project:
    project = make_project(organization, "Old")
    Project.objects.filter(pk=project.pk).update(archived_at=LONG_AGO)
    return project


CHANGES: list[tuple[str, str, dict[str, str]]] = [
    ("rita", "/settings/profile/default-organization/", {"organization": "acme"}),
    ("rita", "/settings/api-keys/{key}/rotation/", {"overlap_hours": "0"}),
    ("rita", "/settings/api-keys/{key}/revocation/", {}),
    ("rita", "/settings/organization/acme/departure/", {}),
    ("alice", "/settings/organization/acme/members/{rita}/role/", {"role": "admin"}),
    ("alice", "/settings/organization/acme/members/{rita}/removal/", {}),
    ("alice", "/settings/organization/acme/invitations/", {"email": "a@b.test", "role": "reader"}),
    ("rita", "/settings/profile/", {"name": "Rita"}),
    ("rita", "/settings/api-keys/", {"name": "Phone"}),
    ("rita", "/settings/api-keys/{key}/tracking/", {"tracked": "off"}),
    ("rita", "/settings/api-keys/{key}/name/", {"name": "Phone"}),
    ("rita", "/settings/organizations/", {"name": "Mine"}),
    ("alice", "/settings/organization/acme/name/", {"name": "Acme"}),
    ("alice", "/settings/organization/acme/usage-visibility/", {"usage_visibility": "any_role"}),
    ("alice", "/settings/organization/acme/billing/details/", {"legal_name": "Acme", "address": "Street 1"}),
    ("alice", "/settings/organization/acme/billing/budgets/new/", {"about": "organization", "amount": "5"}),
    ("alice", "/settings/organization/acme/billing/budgets/{budget}/", {"amount": "5"}),
    ("alice", "/settings/organization/acme/billing/budgets/{budget}/removal/", {}),
    (
        "alice",
        "/settings/organization/acme/billing/webhooks/",
        {"url": "https://example.com/", "format": "slack", "event_types": "invoice.finalized"},
    ),
    ("alice", "/settings/organization/acme/billing/webhooks/{webhook}/removal/", {}),
    ("alice", "/settings/organization/acme/billing/webhooks/{webhook}/test/", {}),
    ("alice", "/settings/organization/acme/billing/messages/{message}/again/", {}),
    ("alice", "/settings/organization/acme/billing/webhooks/{webhook}/activation/", {}),
    ("alice", "/settings/organization/acme/invitations/{invitation}/resending/", {}),
    ("alice", "/settings/organization/acme/invitations/{invitation}/revocation/", {}),
    ("rita", "/settings/organization/acme/keys/{key}/attribution/", {"project": "", "attribute_team": "red"}),
    ("alice", "/settings/organization/acme/admin-keys/", {"name": "Reports", "scopes": "usage"}),
    ("alice", "/settings/organization/acme/admin-keys/{admin_key}/revocation/", {}),
    ("alice", "/settings/organization/acme/projects/", {"name": "Checkout"}),
    ("alice", "/settings/organization/acme/projects/{project}/name/", {"name": "Checkout"}),
    ("alice", "/settings/organization/acme/projects/{project}/archival/", {}),
    ("alice", "/settings/organization/acme/projects/{archived}/restoration/", {}),
    ("alice", "/settings/organization/acme/attributes/", {"name": "feature", "title": "Feature"}),
    ("alice", "/settings/organization/acme/attributes/team/title/", {"title": "Squad"}),
    ("alice", "/settings/organization/acme/attributes/team/withdrawal/", {}),
]


CHANGES_OF_STAFF: list[tuple[str, dict[str, str]]] = [
    ("webhooks/", {"url": "https://example.com/", "format": "slack", "event_types": "proof.drift"}),
    ("webhooks/{webhook}/removal/", {}),
    ("webhooks/{webhook}/test/", {}),
    ("webhooks/{webhook}/activation/", {}),
    ("messages/{message}/again/", {}),
]


@pytest.mark.parametrize(("address", "data"), CHANGES_OF_STAFF, ids=[address for address, _ in CHANGES_OF_STAFF])
def test_so_does_every_change_of_where_staff_hears_of_things(
    world: World, client_of: SignIn, settings: Settings, address: str, data: dict[str, str]
) -> None:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    settings.CHANGES_PER_MINUTE = 0
    webhook = WebhookEndpoint.objects.create(url="https://a.test/", encrypted_secret="x")
    address = address.format(webhook=webhook.pk, message=outbox.test_message(webhook).pk)
    assert client_of(world.charlie).post(f"/settings/news/{address}", data).status_code == 429


@pytest.mark.parametrize("posted", CHANGES, ids=[address for _, address, _ in CHANGES])
def test_every_change_of_keys_members_and_organizations_counts(
    world: World, client_of: SignIn, settings: Settings, posted: tuple[str, str, dict[str, str]]
) -> None:
    who, address, data = posted
    settings.CHANGES_PER_MINUTE = 0
    key = make_key(world.rita)
    webhook = WebhookEndpoint.objects.create(organization=world.acme, url="https://a.test/", encrypted_secret="x")
    with change() as now:
        inviting.invite(
            organization=world.acme,
            email="b@b.test",
            role="reader",
            invited_by=world.alice,
            now=now,
            actor=SYSTEM_ACTOR,
        )
    address = address.format(
        key=key.public_id,
        rita=world.rita.public_id,
        webhook=webhook.pk,
        message=outbox.test_message(webhook).pk,
        budget=Budget.objects.create(organization=world.acme, amount=1).pk,
        invitation=Invitation.objects.get().public_id,
        project=make_project(world.acme, "Search").public_id,
        archived=make_archived_project(world.acme).public_id,
        admin_key=create_admin_key(organization=world.acme, name="Old", scopes=["usage"], now=now)[0].public_id,
    )
    declare(world.acme, "team")
    if "organization" in data:
        data = {"organization": world.acme.public_id}
    answer = client_of(getattr(world, who)).post(address, data)
    assert answer.status_code == 429, address
    assert "Retry-After" in answer
    assert "which is the limit" in answer.content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None
    assert Membership.objects.get(user=world.rita, organization=world.acme).left_at is None


# Forms that change nothing of this kind, or are limited by something else
NOT_LIMITED = {
    "invitation_registration": "the way of a new person to the sign-up, which has limits of its own",
    "coverage_request": "an e-mail to each member a week, and a change beside it",
    "invitation_acceptance": "tested with invitations",
    "price_change": "staff",
    "credit": "staff",
    "credit_voiding": "staff",
    "invoice_payment": "staff",
    "invoice_voiding": "staff",
    "invoice_release": "staff",
    "balance_refund": "staff",
    "ingestion_key": "staff",
    "ingestion_test_event": "staff",
    "user_deactivation": "staff",
    "user_reactivation": "staff",
    "user_signing_out": "staff",
    "user_password_reset": "staff",
    "user_second_factor": "staff",
    "leaving": "staff",
    "staff_webhooks": "staff",
    "staff_webhook_removal": "staff",
    "staff_webhook_activation": "staff",
    "staff_webhook_test": "staff",
    "staff_message_again": "staff",
    "opening": "staff",
}


def test_no_form_is_forgotten(world: World, client_of: SignIn) -> None:
    """Of the addresses of this product each takes no POST, is among those above, or says why it need not be."""
    values: dict[type, object] = {IntConverter: 1, SlugConverter: "x", StringConverter: "x"}
    known = {resolve(re.sub(r"{\w+}", "1", address)).view_name for _, address, _ in CHANGES}
    client, walked = client_of(world.alice), 0
    for app in ("accounts", "apikeys", "billing", "exports", "metering"):
        for pattern in import_module(f"{app}.urls").urlpatterns:
            arguments = {name: values[type(kind)] for name, kind in pattern.pattern.converters.items()}
            address = reverse(f"{app}:{pattern.name}", kwargs=arguments)
            if not address.startswith("/v1/") and client.post(address).status_code != 405:
                walked += 1
                assert f"{app}:{pattern.name}" in known or pattern.name in NOT_LIMITED, address
    assert walked > len(NOT_LIMITED)


def test_new_organizations_are_limited_per_day(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.NEW_ORGANIZATIONS_PER_DAY = 1
    client = client_of(world.rita)
    assert client.post(ORGANIZATIONS, {"name": "First"}).status_code == 302
    answer = client.post(ORGANIZATIONS, {"name": "Second"})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) <= 24 * 3600
    page = answer.content.decode()
    assert "1 new organizations today" in page
    assert 'value="Second"' in page
    assert not Organization.objects.filter(name="Second").exists()


def test_new_keys_are_limited_per_day(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.NEW_API_KEYS_PER_DAY = 1
    client = client_of(world.rita)
    assert client.post(KEYS, {"name": "First"}).status_code == 302
    answer = client.post(KEYS, {"name": "Second"})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) <= 24 * 3600
    assert "field-error" in answer.content.decode()
    assert not APIKey.objects.filter(name="Second").exists()


def test_usable_keys_of_a_person_are_limited(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.MAX_API_KEYS_PER_PERSON = 1
    first, client = make_key(world.rita), client_of(world.rita)
    answer = client.post(KEYS, {"name": "Second"})
    assert answer.status_code == 409
    assert "Retry-After" not in answer
    assert "Revoke one you no longer need." in answer.content.decode()
    APIKey.objects.filter(pk=first.pk).update(revoked_at=first.created_at)
    assert client.post(KEYS, {"name": "Second"}).status_code == 302


def test_a_persons_switches_of_tracking_are_limited_per_day_over_all_keys(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.SWITCHES_PER_DAY = 3
    one, another, his = (make_key(user, created_at=database_now()) for user in (world.rita, world.rita, world.bob))
    client = client_of(world.rita)
    assert [switch(client, *said) for said in ((one, "off"), (another, "off"), (one, "on"))] == [302, 302, 302]
    answer = client.post(reverse("apikeys:tracking", args=[another.public_id]), {"tracked": "on"})
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 24 * 3600
    assert "switched 3 times on" in answer.content.decode()
    assert "which is the limit of a day" in answer.content.decode()
    another.refresh_from_db()
    assert not another.tracked
    assert switch(client_of(world.bob), his, "off") == 302
    TrackingChange.objects.filter(api_key=one, tracked=False).update(effective_at=LONG_AGO)
    assert switch(client, another, "on") == 302


def test_a_default_organization_is_changed_so_often_a_day_and_can_always_be_left(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.SWITCHES_PER_DAY = 1
    join(world.rita, world.labs, role="reader")
    client = client_of(world.rita)
    address = "/settings/profile/default-organization/"
    assert client.post(address, {"organization": world.labs.public_id}).status_code == 302
    answer = client.post(address, {"organization": world.acme.public_id})
    assert answer.status_code == 429
    assert "which is the limit of a day" in answer.content.decode()
    assert client.post(f"/settings/organization/{world.labs.slug}/departure/").status_code == 302
    world.rita.refresh_from_db()
    assert world.rita.default_organization == world.acme


def test_what_is_refused_costs_few_queries(
    world: World, client_of: SignIn, settings: Settings, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    settings.CHANGES_PER_MINUTE = 0
    key, client = make_key(world.rita), client_of(world.rita)
    with django_assert_max_num_queries(3):
        assert switch(client, key, "off") == 429


@pytest.mark.django_db(transaction=True)
def test_a_limit_holds_over_connections_that_spend_at_once(world: World, settings: Settings) -> None:
    settings.NEW_API_KEYS_PER_DAY = 5

    def spend(_: int) -> bool:
        try:
            limits.spend(world.rita, limits.API_KEYS)
        except LimitReachedError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(spend, range(20))).count(True) == 5
