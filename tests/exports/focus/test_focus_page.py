"""The page that asks for a FOCUS file, the files at their address, what is refused, and who may have them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import AuditEvent, Organization, User
from exports.focus import datasets
from tests.exports.focus import story
from tests.money import OCTOBER, set_price
from tests.usage.focus_files import cost_file, read_csv, use_by
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/billing/export/"
FILE = f"{PAGE}focus"
ALL_2026 = f"{FILE}?start=2026-01-01&end=2027-01-01"


def body(client: Client, address: str) -> bytes:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    return b"".join(answer)


def test_owners_find_it_on_the_billing_page_and_nobody_else_does(world: World, client_of: SignIn) -> None:
    billing = "/settings/organization/acme/billing/"
    assert PAGE in client_of(world.alice).get(billing).content.decode()
    assert PAGE not in client_of(world.bob).get(billing).content.decode()
    for address in (PAGE, ALL_2026):
        for user, status in ((world.bob, 403), (world.rita, 403), (world.charlie, 404)):
            assert client_of(user).get(address).status_code == status


def test_the_page_offers_the_last_month_three_files_and_two_formats(world: World, client_of: SignIn) -> None:
    with time_machine.travel(datetime(2026, 11, 9, tzinfo=UTC), tick=False):
        page = client_of(world.alice).get(PAGE).content.decode()
    for word in ("cost-and-usage", "invoice-detail", "billing-period", "Download CSV", "Download Parquet"):
        assert word in page


def test_a_file_is_named_after_its_days_and_says_how_complete_it_is(world: World, client_of: SignIn) -> None:
    story.happen(world)
    answer = client_of(world.alice).get(ALL_2026)
    assert answer["Content-Disposition"] == ('attachment; filename="focus-cost-and-usage-2026-01-01-2027-01-01.csv"')
    assert answer["X-Complete-Through"].endswith("Z")
    rows = read_csv(b"".join(answer).decode())
    assert {row["x_CompleteThrough"] for row in rows} == {answer["X-Complete-Through"]}
    assert AuditEvent.objects.filter(event="usage.exported", target_name__startswith="focus-").count() == 1


def test_usage_without_a_price_is_counted_beside_the_file(world: World, client_of: SignIn) -> None:
    story.happen(world)
    answer = client_of(world.alice).get(ALL_2026)
    assert answer["X-Unpriced-Items"] == "1"
    assert b"unknown" not in b"".join(answer)
    october = client_of(world.alice).get(f"{FILE}?month=2026-10")
    assert october["X-Unpriced-Items"] == "0"


@pytest.mark.parametrize("word", [dataset.word for dataset in datasets.DATASETS])
def test_a_range_with_nothing_is_the_header_alone(world: World, client_of: SignIn, word: str) -> None:
    text = body(client_of(world.alice), f"{FILE}?dataset={word}&start=2001-01-02&end=2001-01-03").decode()
    assert text.count("\r\n") == 1
    assert text.startswith(("BillingAccountId,", "BilledCost,", "BillingPeriodCreated,"))


def test_parquet_comes_with_its_type(world: World, client_of: SignIn) -> None:
    answer = client_of(world.alice).get(f"{ALL_2026}&format=parquet")
    assert answer["Content-Type"] == "application/vnd.apache.parquet"
    assert b"".join(answer)[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("start=2026-01-01&end=2027-01-03", "at most 366 days"),
        ("start=2026-02-01&end=2026-01-01", "must be after the start"),
        ("start=2026-02-31&last=2026-03-01", "must be a day like"),
        ("dataset=all", "must be one of cost-and-usage, invoice-detail, billing-period"),
        ("format=xlsx", "must be one of csv, parquet"),
    ],
)
def test_what_cannot_be_had_is_refused_with_a_sentence(
    world: World, client_of: SignIn, asked: str, sentence: str
) -> None:
    client = client_of(world.alice)
    for accept in ("text/html", "text/csv"):
        answer = client.get(f"{FILE}?{asked}", headers={"accept": accept})
        assert answer.status_code == 400
        assert sentence in answer.content.decode()


def test_without_pyarrow_csv_alone_is_offered(world: World, client_of: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "find_spec", lambda _name: None)
    client = client_of(world.alice)
    assert "Parquet" not in client.get(PAGE).content.decode()
    assert client.get(f"{ALL_2026}&format=parquet").status_code == 400
    assert client.get(ALL_2026).status_code == 200


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(world: World, client_of: SignIn) -> None:
    key = story.happen(world)
    key.name = "=1+1"
    key.save()
    Organization.objects.filter(pk=world.labs.pk).update(name="@SUM(A1)")
    rows = read_csv(body(client_of(world.alice), ALL_2026).decode())
    assert {row["ResourceName"] for row in rows} == {"'=1+1", ""}
    assert "'@SUM(A1)" in {row["SubAccountName"] for row in rows}


def test_who_left_the_payer_keeps_its_people_and_keys_to_itself(world: World) -> None:
    set_price("atlas", "0.01")
    use_by(world.bob, None, world.labs, date(2026, 10, 3), "atlas", input_tokens=10)
    (named,) = cost_file(world.acme, OCTOBER)
    (unnamed,) = cost_file(world.acme, OCTOBER, seen=(world.acme,))
    hidden = {"x_PrincipalId", "x_PrincipalName", "Tags"}
    assert named["x_PrincipalName"] == "bob@acme.test"
    assert {name for name in named if named[name] != unnamed[name]} == hidden
    assert all(unnamed[name] == "" for name in hidden)


def test_a_child_has_what_it_pays_for_itself_alone(world: World, client_of: SignIn) -> None:
    story.happen(world)
    assert cost_file(world.labs) == []
    owner: Any = world.alice
    membership = owner.memberships.get()
    membership.pk, membership.organization = None, world.labs
    membership.save()
    page = client_of(owner).get(PAGE.replace("/acme/", "/acme-labs/")).content.decode()
    assert "pays for usage of Acme Labs" in page
