"""The demo shows everything that the product is for: what the usage of its keys is for, too."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import Organization, User
from apikeys.models import IngestToken
from metering.models import UsageEvent
from tests.world import World
from usage_dashboard.demo import demo, people, purposes
from usage_dashboard.first_start import setting_up
from usage_dashboard.machine.processes import LaunchError
from usage_dashboard.management.commands.demo import Command as DemoCommand
from usage_dashboard.management.commands.run import Command as RunCommand

ACME = "/settings/organization/acme"


@pytest.mark.django_db(transaction=True)
def test_the_demo_is_filled_once_and_shows_what_usage_is_for(
    client_of: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "DAYS", 2)
    written: list[str] = []
    demo.fill(write=written.append)
    assert written[-1] == " done.\n"
    number = UsageEvent.objects.count()
    demo.fill(write=written.append)
    assert (UsageEvent.objects.count(), demo.is_filled()) == (number, True)

    owner = client_of(User.objects.get(email="owner@acme.test"))
    by_project = owner.get(f"{ACME}/usage/cost/?group_by=project").content.decode()
    assert all(name in by_project for name in ("Search", "Customer support", "Mobile app"))
    by_customer = owner.get(f"{ACME}/usage/activity/").content.decode()
    assert "Globex" in by_customer
    assert "Top projects" in by_customer
    assert "experiment" in owner.get(f"{ACME}/attributes/").content.decode()
    assert not IngestToken.objects.filter(revoked_at__isnull=True).exists()


@pytest.mark.django_db(transaction=True)
def test_keys_of_a_team_and_their_customers_are_in_the_export(
    client_of: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "DAYS", 2)
    demo.fill(write=lambda _: None)
    owner = client_of(User.objects.get(email="owner@acme.test"))
    today = database_now().date()
    address = f"{ACME}/usage/activity/export.csv?start={today - timedelta(days=2)}&end={today}"
    rows = list(csv.DictReader(io.StringIO(owner.get(address).getvalue().decode("utf-8-sig"))))
    used = {(row["api_key_name"], row["project_name"], json.loads(row["attributes"]).get("team")) for row in rows}
    assert ("mobile-app", "Mobile app", "Apps") in used
    assert {row[1:] for row in used if row[0] == "search-index"} == {("Search", "Discovery")}
    named = {json.loads(row["attributes"]).get("end_customer") for row in rows if row["api_key_name"] == "search-prod"}
    assert named <= set(purposes.CUSTOMERS)
    assert len(named) > 3


@pytest.mark.django_db(transaction=True)
def test_a_person_of_staff_shows_the_pages_of_the_operator(
    client_of: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(demo, "DAYS", 2)
    settings.STAFF_SECOND_FACTOR = False  # as `make demo` sets it
    demo.fill(write=lambda _: None)
    assert not setting_up.is_open()
    assert people.STAFF in DemoCommand().greeting()
    staff = Client()
    staff.post("/accounts/login/", {"login": people.STAFF, "password": demo.PASSWORD})
    for address in ("/settings/staff/", "/settings/prices/", "/settings/ingestion/"):
        assert staff.get(address).status_code == 200
    assert "Acme Corporation" in staff.get("/settings/customers/").content.decode()
    owner = client_of(User.objects.get(email="owner@acme.test"))
    assert owner.get("/settings/prices/").status_code != 200


@pytest.mark.django_db
def test_the_demo_is_not_put_among_people_of_others(world: World) -> None:
    num_users = User.objects.count()
    with pytest.raises(LaunchError, match=r"not the demo's.*make demo"):
        DemoCommand().fill()
    assert User.objects.count() == num_users
    assert not IngestToken.objects.exists()


@pytest.mark.django_db
def test_the_demo_is_not_put_beside_an_organization_without_people() -> None:
    Organization.objects.create(name="Initech", slug="initech")
    with pytest.raises(LaunchError, match="not the demo's"):
        DemoCommand().fill()
    assert not User.objects.exists()


@pytest.mark.django_db
def test_an_installation_for_real_does_not_start_where_people_of_the_demo_can_sign_in(settings: Settings) -> None:
    RunCommand().fill()
    with routing_change() as now:
        people.create(now)
    with pytest.raises(LaunchError, match=r"The demo is in this database.*make run"):
        RunCommand().fill()
    settings.DEMO = True
    RunCommand().fill()
    settings.DEMO = False
    User.objects.create_user("olivia@operator.test", name="Olivia", is_staff=True, is_superuser=True)
    User.objects.filter(email__in=people.EMAILS).update(is_active=False)
    RunCommand().fill()
