"""Staff needs a second factor, and whoever is given or loses rights is in the audit log, however it was done."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import AuditEvent, User
from tests.entrance import with_app
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
STAFF_PAGES = (
    "admin:index",
    "admin:accounts_user_changelist",
    "billing:prices",
    "billing:credit",
    "billing:all_invoices",
)


@pytest.fixture
def staff(world: World) -> User:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True, is_superuser=True)
    return User.objects.get(pk=world.bob.pk)


def rights() -> list[tuple[str, str, dict[str, object]]]:
    """Who changed whose rights to what, the earliest first."""
    found = AuditEvent.objects.filter(event="staff.rights_changed").order_by("id")
    return [(entry.actor_name, entry.target_name, entry.details) for entry in found]


@pytest.mark.parametrize("name", STAFF_PAGES)
def test_without_a_second_factor_staff_is_led_to_one(
    staff: User, client_of: SignIn, settings: Settings, name: str
) -> None:
    settings.STAFF_SECOND_FACTOR = True
    answer = client_of(staff).get(reverse(name), follow=True)
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Staff pages require a second factor" in page
    for way in ("mfa_activate_totp", "mfa_add_webauthn"):
        assert reverse(way) in page


@pytest.mark.parametrize("name", STAFF_PAGES)
def test_with_one_the_pages_open(staff: User, settings: Settings, name: str) -> None:
    settings.STAFF_SECOND_FACTOR = True
    client, _ = with_app(staff.email)
    assert client.get(reverse(name)).status_code == 200


def test_nothing_can_be_changed_without_one(staff: User, world: World, client_of: SignIn, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    address = reverse("admin:accounts_user_change", args=[world.charlie.pk])
    client_of(staff).post(address, {"name": "Charlie", "is_active": "on", "is_staff": "on"}, follow=True)
    world.charlie.refresh_from_db()
    assert not world.charlie.is_staff


def test_a_second_factor_makes_nobody_staff(world: World, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    client, _ = with_app("rita@acme.test")
    assert client.get(reverse("billing:prices")).status_code == 404
    assert client.get(reverse("admin:index"), follow=True).status_code == 403


@pytest.mark.parametrize(("demo", "expected"), [("0", "True"), ("1", "False")])
def test_it_is_needed_everywhere_but_in_the_demo(demo: str, expected: str) -> None:
    program = "from usage_dashboard import settings; print(settings.STAFF_SECOND_FACTOR)"
    answer = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "DEMO": demo}, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == expected


def test_rights_that_staff_gives_are_recorded_with_who_gave_them(staff: User, world: World, client_of: SignIn) -> None:
    num_before = len(rights())
    address = reverse("admin:accounts_user_change", args=[world.charlie.pk])
    answer = client_of(staff).post(address, {"name": "Charlie", "is_active": "on", "is_staff": "on"})
    assert answer.status_code == 302
    assert rights()[num_before:] == [
        ("bob@acme.test", "charlie@other.test", {"staff": True, "superuser": False, "active": True})
    ]
    entry = AuditEvent.objects.filter(event="staff.rights_changed").latest("id")
    assert (entry.actor, entry.address, entry.organization) == (world.bob, "127.0.0.1", None)
    User.objects.filter(pk=world.charlie.pk).update(is_staff=False)
    assert rights()[-1][0] == "system"


def test_rights_of_a_command_of_groups_and_of_sql_are_recorded(world: World) -> None:
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = "a good long one"
    call_command("createsuperuser", "--no-input", "--email", "root@example.test", verbosity=0)
    permission = Permission.objects.get(codename="view_user")
    group = Group.objects.create(name="Support")
    group.permissions.add(permission)
    world.rita.groups.add(group)
    world.rita.groups.remove(group)
    world.rita.user_permissions.add(permission)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_superuser = true WHERE id = %s", [world.rita.pk])
    User.objects.filter(pk=world.rita.pk).update(is_active=False)
    User.objects.filter(pk=world.bob.pk).update(is_active=False, name="Not staff")
    assert rights() == [
        ("system", "root@example.test", {"staff": True, "superuser": True, "active": True}),
        ("system", "Support", {"permission": "view_user", "given": True}),
        ("system", "rita@acme.test", {"group": "Support", "given": True}),
        ("system", "rita@acme.test", {"group": "Support", "given": False}),
        ("system", "rita@acme.test", {"permission": "view_user", "given": True}),
        ("system", "rita@acme.test", {"staff": False, "superuser": True, "active": True}),
        ("system", "rita@acme.test", {"staff": False, "superuser": True, "active": False}),
    ]
