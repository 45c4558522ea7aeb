"""The admin site: staff finds people and keys there, and can change no history."""

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts import audit
from accounts.audit import Actor
from accounts.models import AuditEvent, DefaultOrganizationChange, Invitation, Membership, User
from apikeys import keys
from apikeys.models import APIKey, IngestToken, TrackingChange, VisibilityRequest
from tests.world import LONG_AGO, World

SignIn = Callable[[User], Client]
HISTORY = (
    AuditEvent,
    DefaultOrganizationChange,
    Invitation,
    Membership,
    APIKey,
    IngestToken,
    TrackingChange,
    VisibilityRequest,
)


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    return client_of(User.objects.get(pk=world.alice.pk))


@pytest.mark.parametrize("model", HISTORY)
def test_history_is_read_only(world: World, model: type) -> None:
    found = admin.site._registry[model]
    request = RequestFactory().get("/admin/")
    request.user = world.alice
    assert not found.has_add_permission(request)
    assert not found.has_change_permission(request)
    assert not found.has_delete_permission(request)


def test_every_list_opens_and_can_be_searched(staff: Client, world: World) -> None:
    keys.create_api_key(user=world.rita, name="Laptop", created_at=LONG_AGO)
    audit.record("api_key.created", actor=Actor(), organization=world.acme)
    for model in admin.site._registry:
        if model._meta.app_label in {"accounts", "apikeys"}:
            address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            assert staff.get(address).status_code == 200, address
            assert staff.get(address, {"q": "rita"}).status_code == 200, address


def test_a_person_and_an_organization_link_to_their_lists(staff: Client, world: World) -> None:
    page = staff.get(f"/admin/accounts/user/{world.rita.pk}/change/").content.decode()
    assert "/admin/apikeys/apikey/?q=rita%40acme.test" in page
    page = staff.get(f"/admin/accounts/organization/{world.acme.pk}/change/").content.decode()
    assert f"/admin/accounts/auditevent/?organization__id__exact={world.acme.pk}" in page
    assert 'name="parent"' not in page


def test_a_digest_is_never_shown(staff: Client, world: World) -> None:
    api_key, _ = keys.create_api_key(user=world.rita, name="Laptop", created_at=LONG_AGO)
    page = staff.get(f"/admin/apikeys/apikey/{api_key.pk}/change/").content.decode()
    assert "Laptop" in page
    assert bytes(api_key.digest).hex() not in page
    assert "igest" not in page.replace("ngest token", "")


def test_staff_is_told_that_links_in_mails_lead_nowhere(staff: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "usage.example.com"]
    assert "LINKS IN E-MAILS LEAD TO http://localhost:8000" in staff.get("/admin/").content.decode()
    settings.SITE_ADDRESS = "https://usage.example.com"
    assert "LINKS IN E-MAILS" not in staff.get("/admin/").content.decode()


def test_staff_is_told_that_mail_is_not_sent(staff: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert "E-MAIL IS NOT SENT" in staff.get("/admin/").content.decode()
    settings.DEMO = True
    assert "E-MAIL IS NOT SENT" not in staff.get("/admin/").content.decode()
