"""The admin site: staff finds people and keys there, and can change no history."""

import re
from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import AuditEvent, DefaultOrganizationChange, Invitation, Membership, User
from accounts.staff.guarded_admin import SECRET_FIELDS
from apikeys.keys import keys
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
NO_PLURAL = re.compile(r"((s|x|z|ch|sh)s|[^aeiou]ys)$", re.IGNORECASE)
"""How a plural ends that only had an s put behind it: “batchs”, “detailss”, “deliverys”."""


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
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert staff.get(address).status_code == 200, address
        assert staff.get(address, {"q": "1"}).status_code == 200, address


def test_a_person_and_an_organization_link_to_their_lists(staff: Client, world: World) -> None:
    page = staff.get(f"/admin/accounts/user/{world.rita.pk}/change/").content.decode()
    assert "/admin/apikeys/apikey/?q=rita%40acme.test" in page
    page = staff.get(f"/admin/accounts/organization/{world.acme.pk}/change/").content.decode()
    assert f"/admin/accounts/auditevent/?organization__id__exact={world.acme.pk}" in page
    assert 'name="parent"' not in page


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("https://hooks.slack.com/services/T0/B0/aSecretPath", "https://hooks.slack.com/…ath"),
        ("https://hooks.slack.com/…a1b2c3", "https://hooks.slack.com/…a1b2c3"),
    ],
)
def test_an_entry_with_a_whole_address_shows_its_host_and_end(
    staff: Client, world: World, stored: str, shown: str
) -> None:
    event = audit.record(
        "webhook.created", actor=Actor(), organization=world.acme, details={"url": stored, "error": "HTTP 410"}
    )
    for address in (f"{event.pk}/change/", "", f"?q={world.acme.name}", f"{event.pk}/history/"):
        page = staff.get(f"/admin/accounts/auditevent/{address}", follow=True).content.decode()
        assert "aSecretPath" not in page
    page = staff.get(f"/admin/accounts/auditevent/{event.pk}/change/").content.decode()
    assert f"url: {shown}, error: HTTP 410" in page
    event.refresh_from_db()
    assert event.details["url"] == stored


def test_lists_are_filtered_by_what_they_offer_alone(staff: Client) -> None:
    offered = (
        "/admin/accounts/user/?is_staff__exact=1",
        "/admin/accounts/membership/?left_at__isempty=1",
        "/admin/accounts/auditevent/?occurred_at__year=2026&event=x",
        "/admin/mfa/authenticator/?created_at__gte=2026-01-01+00:00:00Z",
    )
    for address in offered:
        assert staff.get(address).status_code == 200, address


@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
def test_every_model_has_a_plural_that_english_has(model: type[Model]) -> None:
    assert not NO_PLURAL.search(str(model._meta.verbose_name_plural))


@pytest.mark.parametrize("made", ["batchs", "detailss", "deliverys", "boxs", "dishs"])
def test_what_an_s_alone_makes_of_such_a_word_is_no_plural(made: str) -> None:
    assert NO_PLURAL.search(made)


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_no_lookup_reaches_a_secret_column(staff: Client, model: type[Model]) -> None:
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    for path in secret_paths(model):
        for lookup in ("startswith", "regex", "exact", "gte", "isnull", "length__gte"):
            assert staff.get(address, {f"{path}__{lookup}": "a"}).status_code == 400, (path, lookup)
    found = admin.site._registry[model]
    words = [*found.search_fields, *map(str, found.list_display), *(found.fields or ())]
    assert not [word for word in words if str(word).rpartition("__")[2] in SECRET_FIELDS]


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_no_page_of_a_row_shows_a_secret_column(world: World, staff: Client, model: type[Model]) -> None:
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(pk=world.alice.pk)
    shown = admin.site._registry[model].get_fields(request)
    assert not SECRET_FIELDS & set(map(str, shown))


def secret_paths(model: type[Model], prefix: str = "", depth: int = 2) -> Iterator[str]:
    """The lookup paths from a model to secret columns, through two relations in either direction."""
    for field in model._meta.get_fields():
        if field.name in SECRET_FIELDS:
            yield f"{prefix}{field.name}"
        if field.related_model and depth:
            yield from secret_paths(field.related_model, f"{prefix}{field.name}__", depth - 1)


def test_a_person_who_is_staff_without_rights_sees_and_makes_nothing(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)
    bob = client_of(User.objects.get(pk=world.bob.pk))
    for model in admin.site._registry:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert bob.get(address).status_code == 403, address


def test_only_superusers_change_accounts_of_staff(world: World, staff: Client, client_of: SignIn) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)
    world.bob.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    bob = client_of(User.objects.get(pk=world.bob.pk))
    address = f"/admin/accounts/user/{world.alice.pk}/change/"
    page = bob.get(address)
    assert page.status_code == 200
    assert 'name="is_active"' not in page.content.decode()
    assert bob.post(address, {"name": "Nobody", "groups": []}).status_code == 403
    assert User.objects.get(pk=world.alice.pk).is_active
    assert 'name="is_active"' in staff.get(f"/admin/accounts/user/{world.bob.pk}/change/").content.decode()


def test_only_superusers_say_who_is_staff(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)
    world.bob.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    bob = client_of(User.objects.get(pk=world.bob.pk))
    address = f"/admin/accounts/user/{world.rita.pk}/change/"
    assert 'name="is_staff"' not in bob.get(address).content.decode()
    assert bob.post(address, {"name": "R", "is_active": "on", "is_staff": "on", "groups": []}).status_code == 302
    assert User.objects.get(pk=world.rita.pk).name == "R"
    assert not User.objects.get(pk=world.rita.pk).is_staff


def test_a_digest_is_never_shown(staff: Client, world: World) -> None:
    api_key, _ = keys.create_api_key(user=world.rita, name="Laptop", created_at=LONG_AGO)
    page = staff.get(f"/admin/apikeys/apikey/{api_key.pk}/change/").content.decode()
    assert "Laptop" in page
    assert bytes(api_key.digest).hex() not in page
    assert "igest" not in page.replace("ngest token", "")


def test_staff_is_told_that_links_in_mails_lead_nowhere(staff: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "usage.example.com"]
    assert "LINKS IN EMAILS LEAD TO http://localhost:8000" in staff.get("/admin/").content.decode()
    settings.SITE_ADDRESS = "https://usage.example.com"
    assert "LINKS IN EMAILS" not in staff.get("/admin/").content.decode()


def test_staff_is_told_that_mail_is_not_sent(staff: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert "EMAIL IS NOT SENT" in staff.get("/admin/").content.decode()
    settings.DEMO = True
    assert "EMAIL IS NOT SENT" not in staff.get("/admin/").content.decode()


@pytest.mark.parametrize("model", [Membership, DefaultOrganizationChange, APIKey, TrackingChange])
def test_lists_of_what_thousands_of_customers_have_are_read_by_their_key(model: type) -> None:
    """Any other order, and the list of years above it, would read and sort all of them for each page."""
    found = admin.site._registry[model]
    assert found.ordering == ["-id"]
    assert found.date_hierarchy is None
