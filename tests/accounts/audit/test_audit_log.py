"""The audit log: append-only, for owners, filtered, by page, and as CSV."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import InternalError, connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.clock import database_now
from accounts.models import AuditEvent, User
from apikeys.models import APIKey
from tests.world import World, join

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/audit/"
CSV = f"{PAGE}export.csv"


def add(world: World, number: int = 1, event: str = "api_key.created", name: str = "key {}") -> None:
    for place in range(number):
        audit.record(
            event, actor=Actor(), organization=world.acme, target_id=f"key_{place}", target_name=name.format(place)
        )


def text(answer: Any) -> str:
    return b"".join(answer).decode()


def rows(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(answer))))


@pytest.mark.parametrize("sql", ["UPDATE accounts_auditevent SET event = 'x'", "DELETE FROM accounts_auditevent"])
def test_no_sql_changes_or_removes_an_entry(world: World, sql: str) -> None:
    add(world)
    with pytest.raises(InternalError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert AuditEvent.objects.get().event == "api_key.created"


def test_what_happens_to_a_key_is_logged_with_who_and_from_where(world: World, client_of: SignIn) -> None:
    client = client_of(world.rita)
    client.post("/settings/api-keys/", {"name": "Laptop"})
    address = f"/settings/api-keys/{APIKey.objects.get().public_id}/"
    client.post(f"{address}tracking/", {"tracked": "off"})
    client.post(f"{address}name/", {"name": "Desk"})
    client.post(f"{address}rotation/", {"overlap_hours": "1"})
    client.post(f"{address}revocation/")
    events = list(AuditEvent.objects.order_by("id"))
    assert [event.event for event in events] == [
        "api_key.created",
        "api_key.updated",
        "api_key.updated",
        "api_key.updated",
        "api_key.deleted",
    ]
    assert {(event.actor, event.organization, event.address) for event in events} == {
        (world.rita, world.acme, "127.0.0.1")
    }
    assert events[1].details["tracked"] is False
    assert events[2].details["name_before"] == "Laptop"
    page = client_of(world.alice).get(PAGE).content.decode()
    assert "API key revoked" in page
    assert "rita@acme.test" in page


def test_a_change_of_the_default_is_logged_in_both_organizations_without_naming_the_other(
    world: World, client_of: SignIn
) -> None:
    join(world.rita, world.other, role="reader")
    client_of(world.rita).post("/settings/profile/default-organization/", {"organization": world.other.public_id})
    page = client_of(world.alice).get(PAGE).content.decode()
    assert "No longer a member&#x27;s default organization" in page
    assert "Other" not in page.partition("<tbody>")[2]
    assert AuditEvent.objects.filter(organization=world.other, event="user.default_organization.added").exists()


def test_nothing_of_another_organization_is_shown(world: World, client_of: SignIn) -> None:
    audit.record("user.added", actor=Actor(), organization=world.other, target_name="secret visitor")
    audit.record("user.added", actor=Actor(), organization=world.labs, target_name="secret child")
    assert "secret" not in client_of(world.alice).get(PAGE).content.decode()
    assert not rows(client_of(world.alice).get(CSV))


def test_pages_follow_each_other_without_gap_or_overlap(world: World, client_of: SignIn) -> None:
    add(world, 120)
    client = client_of(world.alice)
    address, seen = PAGE, []
    while address:
        page = client.get(address)
        seen += [entry.target_id for entry in page.context["page"].entries]
        query = page.context["older_query"]
        address = f"{PAGE}?{query}" if query else ""
    assert seen == [f"key_{place}" for place in reversed(range(120))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"event": "user.added"}, 1),
        ({"event": "nonsense"}, 3),
        ({"text": "rita"}, 1),
        ({"text": "key_1"}, 1),
        ({"text": "127.0.0.1"}, 0),
        ({"text": "fe80::1%eth0"}, 0),
        ({"text": "\x00"}, 3),
        ({"text": "%"}, 0),
        ({"since": "2000-01-01", "until": "2000-01-02"}, 0),
        ({"since": "9999-12-31"}, 0),
        ({"until": "9999-12-31"}, 3),
        ({"since": "yesterday"}, 3),
        ({"before": "x"}, 3),
        ({"before": "99999999999999999999999"}, 3),
    ],
)
def test_filters_narrow_and_bad_ones_do_nothing(
    world: World, client_of: SignIn, query: dict[str, str], expected: int
) -> None:
    add(world, 2)
    add(world, 1, "user.added", "Rita Rao")
    page = client_of(world.alice).get(PAGE, query)
    assert page.status_code == 200
    assert len(page.context["page"].entries) == expected


def test_staff_is_neither_named_nor_placed_nor_found(world: World, client_of: SignIn) -> None:
    staff = Actor(user=world.charlie, name=world.charlie.email, address="192.0.2.7")
    audit.record("budget.set", actor=staff, organization=world.acme)
    client = client_of(world.alice)
    html = client.get(PAGE).content.decode()
    assert "<bdi>Staff</bdi>" in html
    (row,) = rows(client.get(CSV))
    assert (row["actor"], row["address"]) == ("Staff", "")
    for answer in (html, text(client.get(CSV))):
        assert "charlie" not in answer
        assert "192.0.2.7" not in answer
    for words, expected in (("charlie@other.test", 0), ("192.0.2.7", 0), ("staff", 1)):
        assert len(client.get(PAGE, {"text": words}).context["page"].entries) == expected, words


def test_a_member_keeps_their_name_for_what_they_did_as_one(world: World, client_of: SignIn) -> None:
    stay = join(world.charlie, world.acme, role="admin")
    acting = Actor(user=world.charlie, name=world.charlie.email, address="192.0.2.7")
    audit.record("budget.set", actor=acting, organization=world.acme)
    stay.left_at = database_now() - timedelta(seconds=5)
    stay.save()
    assert "charlie@other.test" in client_of(world.alice).get(PAGE).content.decode()
    stay.left_at = database_now() - timedelta(hours=1)
    stay.save()
    audit.record("budget.removed", actor=acting, organization=world.acme)
    entries = client_of(world.alice).get(PAGE).context["page"].entries
    assert [entry.actor for entry in entries] == ["Staff", "Staff"]


def test_an_address_of_one_interface_is_stored_without_it(world: World) -> None:
    client = Client(REMOTE_ADDR="fe80::1%eth0")
    client.force_login(world.rita)
    assert client.post("/settings/api-keys/", {"name": "Laptop"}).status_code == 302
    assert AuditEvent.objects.get().address == "fe80::1"


def test_today_is_in_the_days_that_are_asked_for(world: World, client_of: SignIn) -> None:
    add(world)
    today = database_now().date()
    query = {"since": str(today - timedelta(days=1)), "until": str(today)}
    assert len(client_of(world.alice).get(PAGE, query).context["page"].entries) == 1


def test_the_csv_has_every_filtered_entry_and_is_harmless(world: World, client_of: SignIn) -> None:
    add(world, 60)
    add(world, 1, "user.added", "=cmd()")
    everything = client_of(world.alice).get(CSV)
    assert everything["Content-Disposition"] == 'attachment; filename="audit-acme.csv"'
    assert len(rows(everything)) == 61
    (row,) = rows(client_of(world.alice).get(CSV, {"event": "user.added"}))
    assert row["target_name"] == "'=cmd()"


def test_an_empty_log_has_a_header(world: World, client_of: SignIn) -> None:
    assert text(client_of(world.alice).get(CSV)).startswith("time,event,actor")


def test_the_page_needs_the_same_queries_however_long_the_log_is(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    add(world, 80)
    client = client_of(world.alice)
    with django_assert_max_num_queries(8):
        client.get(PAGE)


@pytest.mark.parametrize("who", ["bob", "rita", "charlie"])
def test_the_log_is_for_owners(world: World, client_of: SignIn, who: str) -> None:
    for address in (PAGE, CSV):
        assert client_of(getattr(world, who)).get(address).status_code in {403, 404}
