"""Organizations by the operator's own id: put, read, listed, ended."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client

from accounts.audit.audit import OPERATOR, Actor
from accounts.changes import change
from accounts.clock import database_now
from accounts.members import invitations
from accounts.models import AuditEvent, Membership, Organization
from accounts.periods import month_of, previous_month
from apikeys.models import AdminKey
from billing.models import BillingDetails, Invoice, Price
from billing.payer_history import PayerSince
from tests.provisioning import Operator, operator, refusal
from tests.world import World


@pytest.fixture
def program(world: World) -> Operator:
    return operator()


def test_a_put_makes_it_and_reads_back_what_was_said(program: Operator) -> None:
    status, made = program.put(
        "organizations/cust-1",
        name="Initech",
        usage_visibility="owners_and_admins",
        billing_details={
            "legal_name": "Initech GmbH",
            "address": "Street 1\nBerlin",
            "tax_rate": "0.19",
            "due_days": 14,
        },
    )
    assert status == 201
    organization = Organization.objects.get(external_id="cust-1")
    assert (organization.name, organization.usage_visibility) == ("Initech", "owners_and_admins")
    assert BillingDetails.objects.get(organization=organization).tax_rate == Decimal("0.19")
    assert made["id"] == organization.public_id
    assert made["billing_details"]["address"] == "Street 1\nBerlin"
    assert made["billing_details"]["tax_rate"] == "0.19000"
    assert program.get("organizations/cust-1") == (200, made)


def test_a_second_put_changes_and_writes_nothing(program: Operator, django_assert_num_queries: object) -> None:
    said = {"name": "Initech", "billing_details": {"legal_name": "Initech GmbH"}, "parent": None}
    _, first = program.put("organizations/cust-1", **said)
    events = AuditEvent.objects.count()
    assert program.put("organizations/cust-1", **said) == (200, first)
    assert AuditEvent.objects.count() == events


def test_what_is_not_said_stays_as_it_is(program: Operator) -> None:
    program.made("organizations/p", name="Parent")
    program.made("organizations/c", name="Child", parent="p", billing_details={"tax_id": "DE1"})
    found = program.made("organizations/c", name="Renamed")
    assert (found["name"], found["parent"], found["billing_details"]["tax_id"]) == ("Renamed", "p", "DE1")


def test_everything_is_in_the_audit_log_of_the_token(program: Operator, world: World, client_of: object) -> None:
    program.made("organizations/mine", name="Acme", id=world.acme.public_id)
    program.made("organizations/mine", name="Acme & Sons")
    events = AuditEvent.objects.filter(organization=world.acme, event="organization.updated")
    assert [(found.details["name_before"], found.actor) for found in events] == [("Acme", None)]
    assert events[0].actor_name.startswith(f"{OPERATOR}“CRM” (op-...")
    assert events[0].address == "127.0.0.1"
    page = client_of(world.alice).get("/settings/organization/acme/audit/").content.decode()  # type: ignore[operator]
    assert "Staff" in page
    assert "CRM" not in page
    assert "127.0.0.1" not in page


def test_a_parent_that_has_a_parent_is_none(program: Operator) -> None:
    program.made("organizations/p", name="Parent")
    program.made("organizations/c", name="Child", parent="p")
    assert refusal(program.put("organizations/g", name="Grandchild", parent="c")) == (409, "invalid_parent")
    assert refusal(program.put("organizations/p", name="Parent", parent="c")) == (409, "invalid_parent")
    assert refusal(program.put("organizations/p", name="Parent", parent="p")) == (409, "invalid_parent")
    assert refusal(program.put("organizations/x", name="X", parent="nobody")) == (400, "unknown_reference")
    assert Organization.objects.filter(external_id__in=["g", "x"]).count() == 0


def test_another_payer_is_dated_by_its_month(program: Operator) -> None:
    program.made("organizations/p", name="Parent")
    program.made("organizations/c", name="Child")
    before = previous_month(month_of(database_now().date()))
    found = program.made("organizations/c", name="Child", parent="p", effective_at=f"{before.start}T00:00:00Z")
    assert found["parent"] == "p"
    child = Organization.objects.get(external_id="c")
    assert PayerSince.objects.get(organization=child, first_month=before.start).payer.external_id == "p"


def test_a_month_that_is_billed_takes_no_other_payer(program: Operator) -> None:
    program.made("organizations/p", name="Parent")
    program.made("organizations/c", name="Child")
    before = previous_month(month_of(database_now().date()))
    payer = Organization.objects.get(external_id="c")
    bill(payer, before.start)
    said = {"name": "Child", "parent": "p"}
    assert refusal(program.put("organizations/c", **said, effective_at=f"{before.start}T00:00:00Z")) == (409, "billed")
    assert Organization.objects.get(external_id="c").parent is None
    assert program.made("organizations/c", **said)["parent"] == "p"


def test_another_payer_is_not_dated_before_a_later_change(program: Operator) -> None:
    """Neither one who differs from today's, nor today's own, who does not pay for the month that the line names."""
    for name in ("first", "second"):
        program.made(f"organizations/{name}", name=name)
    program.made("organizations/c", name="Child")
    program.made("organizations/c", name="Child", parent="first")
    before = previous_month(month_of(database_now().date()))
    for parent in ("second", None, "first"):
        said = {"name": "Child", "parent": parent, "effective_at": f"{before.start}T00:00:00Z"}
        assert refusal(program.put("organizations/c", **said)) == (409, "invalid_effective_at")
    assert Organization.objects.get(external_id="c").parent == Organization.objects.get(external_id="first")
    assert PayerSince.objects.filter(organization__external_id="c").count() == 2


def test_a_payer_who_pays_for_the_month_that_is_named_is_nothing_new(program: Operator) -> None:
    program.made("organizations/p", name="Parent")
    program.made("organizations/c", name="Child")
    this = month_of(database_now().date())
    before = previous_month(this)
    said = {"name": "Child", "parent": "p"}
    program.made("organizations/c", **said, effective_at=f"{before.start}T00:00:00Z")
    events = AuditEvent.objects.count()
    for moment in (before.start, this.start):
        program.made("organizations/c", **said, effective_at=f"{moment}T00:00:00Z")
    program.made("organizations/c", **said)
    assert AuditEvent.objects.count() == events


def bill(payer: Organization, month: date) -> None:
    Invoice.objects.create(
        payer=payer, month=month, state="open", number="INV-1", place=1, issue_date=month, due_date=month
    )


def test_own_prices_are_put_into_the_book_once(program: Operator) -> None:
    price = {
        "model": "gpt-5",
        "line_item": "input",
        "unit_price": "2.50",
        "per": 1_000_000,
        "effective_date": "2026-01-01",
    }
    program.made("organizations/c", name="Customer", prices=[price, {**price, "line_item": "output"}])
    found = program.made("organizations/c", name="Customer", prices=[price])
    rows = Price.objects.filter(organization__external_id="c")
    assert {row.unit_price for row in rows} == {Decimal("0.0000025")}
    assert [row["line_item"] for row in found["prices"]] == ["input", "output"]
    assert {row["unit_price"] for row in found["prices"]} == {"0.000002500000"}
    assert AuditEvent.objects.filter(event="price.changed", organization__external_id="c").count() == 2
    assert refusal(operator("organizations").put("organizations/c", name="Customer", prices=[price])) == (
        403,
        "missing_scope",
    )


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "Good", "colour": "red"}, "colour"),
        ({"name": "Good", "\0": 1}, "?"),
        ({"name": "Good", "parent": "a b"}, "parent"),
        ({"name": "Good", "usage_visibility": "all"}, "usage_visibility"),
        ({"name": 0}, "name"),
        ({"name": "Good", "parent": 17}, "parent"),
        ({"name": "Good", "billing_details": {"tax_rate": 1}}, "billing_details.tax_rate"),
        ({"name": "Good", "billing_details": {"due_days": "14"}}, "billing_details.due_days"),
        ({"name": "Good", "billing_details": {"address": "a\0"}}, "billing_details.address"),
        ({"name": "Good", "billing_details": []}, "billing_details"),
        ({"name": "Good", "prices": [{"model": "m"}]}, "prices.0.line_item"),
        ({"name": "Good", "effective_at": "yesterday"}, "effective_at"),
        ({"name": "Good", "effective_at": "0001-01-01T00:00:00+14:00"}, "effective_at"),
        ({}, "name"),
    ],
)
def test_what_cannot_be_is_said_with_its_field(program: Operator, wrong: dict[str, object], param: str) -> None:
    answer = program.put("organizations/c", **wrong)
    assert refusal(answer) == (400, "invalid_request")
    assert answer[1]["error"]["param"].startswith(param)
    assert not Organization.objects.filter(external_id="c").exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"null", b'{"name": NaN}', b"\xff"])
def test_a_body_that_is_no_object_is_refused(program: Operator, body: bytes) -> None:
    status, answer = program.ask("PUT", "organizations/c", body)
    assert status == 400
    assert answer["error"]["code"] in ("invalid_request", "parse_error")


def test_a_moment_to_come_is_refused(program: Operator) -> None:
    later = (database_now() + timedelta(minutes=5)).isoformat()
    assert refusal(program.put("organizations/c", name="C", effective_at=later)) == (409, "invalid_effective_at")


@pytest.mark.parametrize("external_id", ["a%20b", "x" * 101, "%00", "a%2Fb", "ä"])
def test_an_id_has_plain_characters_alone(program: Operator, external_id: str) -> None:
    status, answer = program.put(f"organizations/{external_id}", name="C")
    assert status in (400, 404)
    assert "error" in answer


def test_an_organization_made_by_hand_is_taken_over_by_its_id(program: Operator, world: World) -> None:
    found = program.made("organizations/acme-1", name="Acme", id=world.acme.public_id)
    assert (found["slug"], found["id"]) == ("acme", world.acme.public_id)
    entry = AuditEvent.objects.get(event="organization.taken_over")
    assert (entry.organization, entry.target_id, entry.target_name) == (world.acme, world.acme.public_id, "Acme")
    assert entry.actor_name.startswith(OPERATOR)
    program.made("organizations/acme-1", name="Acme", id=world.acme.public_id)
    assert AuditEvent.objects.filter(event="organization.taken_over").count() == 1
    assert refusal(program.put("organizations/other", name="Acme", id=world.acme.public_id)) == (409, "immutable")
    assert refusal(program.put("organizations/acme-1", name="A", id=world.other.public_id)) == (409, "immutable")
    assert refusal(program.put("organizations/new", name="A", id="org_nobody")) == (400, "unknown_reference")


def test_ending_takes_everybody_out_and_keeps_the_history(program: Operator, world: World) -> None:
    program.made("organizations/other", name="Other", id=world.other.public_id)
    status, ended = program.end("organizations/other")
    assert status == 200
    assert ended["ended_at"] is not None
    memberships = Membership.objects.filter(organization=world.other)
    assert [found.left_at is not None for found in memberships] == [True]
    world.charlie.refresh_from_db()
    assert world.charlie.default_organization is None
    assert program.end("organizations/other") == (200, ended)
    settle()
    assert program.made("organizations/other", name="Other")["ended_at"] is None


def test_ending_ends_what_lets_in_and_reads(program: Operator, world: World) -> None:
    program.made("organizations/other", name="Other", id=world.other.public_id)
    admin_key = program.made("admin_keys/a", organization="other", name="Reader", scopes=["usage"])
    with change() as now:
        actor = Actor(user=world.charlie, name="Charlie")
        said = {"organization": world.other, "invited_by": world.charlie, "now": now, "actor": actor}
        token = invitations.invite(email="rita@acme.test", role="reader", **said)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {admin_key['secret']}"}
    address = "/v1/organization/usage/completions?start_time=1790000000"
    assert Client().get(address, headers=headers).status_code == 200
    assert program.end("organizations/other")[0] == 200
    invitation = invitations.find(token)
    assert invitation is not None
    assert invitation.revoked_at is not None
    assert Client().get(address, headers=headers).status_code == 401
    assert AdminKey.objects.get().revoked_at is not None
    events = AuditEvent.objects.filter(organization=world.other).values_list("event", flat=True)
    assert {"invite.deleted", "admin_key.deleted", "organization.ended"} <= set(events)


def settle() -> None:
    """What the database checks at a commit, it checks now, while it is so."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def test_who_pays_for_others_is_not_ended_before_them(program: Operator, world: World) -> None:
    program.made("organizations/acme", name="Acme", id=world.acme.public_id)
    assert refusal(program.end("organizations/acme")) == (409, "refused")
    assert Organization.objects.get(pk=world.acme.pk).ended_at is None
    assert refusal(program.end("organizations/nobody")) == (404, "not_found")


def test_the_list_goes_on_where_its_cursor_says(program: Operator) -> None:
    for number in range(5):
        program.made(f"organizations/c{number}", name=f"Customer {number}")
    _, page = program.get("organizations?limit=2")
    found = [row["external_id"] for row in page["data"]]
    while page["has_more"]:
        _, page = program.get(f"organizations?limit=2&cursor={page['next_cursor']}")
        found += [row["external_id"] for row in page["data"]]
    assert found == [f"c{number}" for number in range(5)]
    _, first = program.get("organizations?limit=1")
    assert refusal(program.get(f"users?cursor={first['next_cursor']}")) == (400, "invalid_cursor")
    for query in ("limit=0", "limit=1001", "limit=x", "limit=²", "cursor=", "cursor=abc", "cursor=%00", "other=1"):
        assert program.get(f"organizations?{query}")[0] == 400, query


def test_without_its_scope_a_token_is_told_which_it_lacks(world: World) -> None:
    reader = operator("read")
    answer = reader.put("organizations/c", name="C")
    assert refusal(answer) == (403, "missing_scope")
    assert answer[1]["error"]["scope"] == "organizations"
    assert reader.get("organizations")[0] == 200
    assert refusal(operator("users").get("organizations")) == (403, "missing_scope")
    assert operator("organizations").get("organizations")[0] == 200


def test_other_secrets_open_nothing(world: World, token: str) -> None:
    for secret in ("op-" + "x" * 40, token, ""):
        assert refusal(Operator(secret).get("organizations")) == (401, "invalid_operator_token")
    assert Client().get("/v1/operator/organizations").status_code == 401
