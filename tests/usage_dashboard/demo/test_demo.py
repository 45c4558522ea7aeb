"""The demo shows everything that the product is for: what the usage of its keys is for, too."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from accounts.clock import database_now
from accounts.models import User
from apikeys.models import IngestToken
from metering.models import UsageEvent
from usage_dashboard.demo import demo, purposes

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
