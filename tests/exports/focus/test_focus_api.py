"""FOCUS files for programs: what an admin key opens, which scopes it needs, and how refusals read."""

from typing import Any

import pytest
from django.test import Client

from accounts.clock import database_now
from accounts.models import AuditEvent, Organization
from apikeys.adminkeys.adminkeys import create_admin_key, revoke_admin_key
from apikeys.models import AdminKey
from tests.exports.focus import story
from tests.usage.focus_files import read_csv
from tests.world import World

pytestmark = pytest.mark.django_db
FILE = "/v1/organization/focus?start=2026-01-01&end=2027-01-01"


def make(organization: Organization, *scopes: str) -> tuple[AdminKey, str]:
    return create_admin_key(organization=organization, name="Ledger", scopes=scopes, now=database_now())


def ask(secret: str, more: str = "", **headers: str) -> Any:
    return Client().get(f"{FILE}{more}", headers={"Authorization": f"Bearer {secret}", **headers})


def test_a_payers_key_reads_its_files_with_its_children(world: World) -> None:
    story.happen(world)
    _, secret = make(world.acme, "costs", "invoices")
    answer = ask(secret, Accept="text/csv")
    assert answer.status_code == 200
    rows = read_csv(b"".join(answer).decode())
    assert {row["SubAccountName"] for row in rows} == {"Acme", "Acme Labs", ""}
    assert "bob@acme.test" in {row["x_PrincipalName"] for row in rows}
    assert answer["X-Complete-Through"].endswith("Z")
    assert int(answer["x-ratelimit-remaining-requests"]) > 0
    assert b"".join(ask(secret, "&format=parquet"))[:4] == b"PAR1"
    assert AuditEvent.objects.filter(event="usage.exported", actor_name="Ledger").count() == 2


def test_head_says_what_the_file_would_be_and_takes_none(world: World) -> None:
    _, secret = make(world.acme, "costs", "invoices")
    answer: Any = Client().head(FILE, headers={"Authorization": f"Bearer {secret}"})
    assert (answer.status_code, b"".join(answer)) == (200, b"")
    assert answer["Content-Disposition"] == ask(secret)["Content-Disposition"]
    assert AuditEvent.objects.filter(event="usage.exported").count() == 1  # of GET


def test_a_childs_key_reads_nothing_of_its_payer(world: World) -> None:
    story.happen(world)
    _, secret = make(world.labs, "costs", "invoices")
    for dataset in ("cost-and-usage", "invoice-detail"):
        assert read_csv(b"".join(ask(secret, f"&dataset={dataset}")).decode()) == []


def test_a_key_needs_the_scopes_of_what_is_in_the_file(world: World) -> None:
    for scopes, dataset, missing in (
        (("costs", "usage"), "invoice-detail", "invoices"),
        (("costs", "usage"), "cost-and-usage", "invoices"),
        (("invoices",), "cost-and-usage", "costs"),
        (("invoices",), "billing-period", ""),
    ):
        answer = ask(make(world.acme, *scopes)[1], f"&dataset={dataset}")
        assert answer.status_code == (403 if missing else 200)
        if missing:
            assert f"`{missing}`" in answer.json()["error"]["message"]


def test_a_revoked_key_and_no_key_read_nothing(world: World) -> None:
    key, secret = make(world.acme, "costs", "invoices")
    revoke_admin_key(admin_key=key, now=database_now())
    assert ask(secret).status_code == Client().get(FILE).status_code == 401


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("&end=2027-06-01", "at most 366 days"),
        ("&start=2027-02-01", "must be after the start"),
        ("&dataset=all", "must be one of"),
        ("&format=json", "must be one of csv, parquet"),
    ],
)
def test_what_cannot_be_had_is_refused_as_json(world: World, asked: str, sentence: str) -> None:
    answer = ask(make(world.acme, "costs", "invoices")[1], asked, Accept="text/csv")
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["message"]
