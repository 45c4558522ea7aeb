"""Each payer's closing on its own: one that fails is told, shown and tried again, and stops nobody else."""

import io
import logging
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from billing.alerts import Delivery
from billing.invoices import closing, invoices
from billing.models import Invoice, MonthClose
from billing.notices import failures
from metering.models import FailedItem
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, close, set_price, use
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]


@pytest.fixture
def broken(world: World) -> int:
    """The payer whose invoices the database refuses; it comes before the others."""
    set_price("m", "0.01")
    for organization in (world.acme, world.other):
        use(organization, "2026-10-02", "m", input_tokens=100)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.payer_id = {world.acme.pk} THEN RAISE EXCEPTION 'this payer is broken'; END IF;"
            " RETURN NEW; END $$;"
            "CREATE TRIGGER refuse BEFORE INSERT ON billing_invoice FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    assert world.acme.pk < world.other.pk
    return int(world.acme.pk)


def mend() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuse ON billing_invoice")
    FailedItem.objects.update(next_attempt_at=at("2026-01-01"))


def test_the_payers_behind_one_that_fails_are_closed(
    world: World, broken: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert [invoice.payer for invoice in close(OCTOBER)] == [world.other]
    assert "close_month failed on 2026-10 acme" in caplog.text
    [failure] = closing.failures()
    assert (failure.closing.payer, failure.closing.month, failure.failed.num_attempts) == (world.acme, OCTOBER, 1)
    found = MonthClose.objects.get()
    assert (found.num_payers_done, found.num_payers) == (1, 2)


def test_it_stops_no_later_month_and_is_tried_again_by_itself(world: World, broken: int) -> None:
    use(world.other, "2026-11-02", "m", input_tokens=300)
    closing.close_ended_months(at("2026-12-10"))
    assert list(Invoice.objects.values_list("payer__name", "total").order_by("month")) == [
        ("Other", Decimal(1)),
        ("Other", Decimal(3)),
    ]
    mend()
    closing.close_ended_months(at("2026-12-11"))
    assert closing.failures() == []
    assert Invoice.objects.get(payer=world.acme).month == OCTOBER.start


def test_staff_are_told_once_and_see_it_on_their_page(world: World, broken: int, client_of: SignIn) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True, is_superuser=True)
    for _ in range(2):
        close(OCTOBER)
        failures.check()
    assert "2026-10 acme" in Delivery.objects.get(event_type="task.item_failed").body
    page = client_of(world.bob).get("/settings/invoices/").content.decode()
    assert "Closings that failed" in page
    assert "this payer is broken" in page
    mend()
    close(OCTOBER)
    assert "Closings that failed" not in client_of(world.bob).get("/settings/invoices/").content.decode()


def test_the_command_closes_the_others_names_the_failure_and_fails(world: World, broken: int) -> None:
    out, err = io.StringIO(), io.StringIO()
    for num_attempts in (1, 2):
        with pytest.raises(CommandError, match="Closings that failed: 1"):
            call_command("close_month", "--month", "2026-10", stdout=out, stderr=err)
        assert closing.failures()[0].failed.num_attempts == num_attempts
    assert "Failed: 2026-10 acme: InternalError: this payer is broken" in err.getvalue()
    mend()
    call_command("close_month", "--month", "2026-10", "--payer", "acme", stdout=out)
    assert closing.failures() == []
    assert "INV-" in out.getvalue()


def test_a_thousand_events_of_two_to_the_63_close_with_everybody(world: World) -> None:
    set_price("dear", "0.0006")
    set_price("m", "0.01")
    use(world.acme, "2026-10-02", "dear", input_tokens=1_000 * (2**63 - 1))
    use(world.other, "2026-10-02", "m", input_tokens=100)
    assert {(invoice.payer.name, invoice.total) for invoice in close(OCTOBER)} == {
        ("Acme", Decimal("5534023222112865484.20")),
        ("Other", Decimal(1)),
    }


def test_the_widest_costs_go_all_the_way_to_the_balance(world: World, client_of: SignIn) -> None:
    """The widest usage a day holds, at the widest price, on two days and in two months; voided, and paid back as one."""
    set_price("widest", "999999999999.999999999999")
    for day in ("2026-10-02", "2026-10-03", "2026-11-02"):
        use(world.other, day, "widest", input_tokens=10**38 - 1)
    [october] = close(OCTOBER)
    exact = 2 * (10**38 - 1) * Decimal("999999999999.999999999999")
    assert october.total == exact.quantize(Decimal("0.01"))
    invoices.mark_paid(october, actor=ACTOR, now=at("2026-11-10"))
    invoices.void(october, actor=ACTOR, now=at("2026-11-10"))
    [november] = close(NOVEMBER)
    assert november.total == (exact / 2 * 3).quantize(Decimal("0.01"))
    assert november.due == november.total - october.total
    client, page = client_of(world.charlie), "/settings/organization/other/billing/"
    assert client.get(page).status_code == 200
    assert "199,999,999,999,999" in client.get(f"{page}invoices/{october.pk}/").content.decode()
    assert client.get(f"{page}invoices/{november.pk}/pdf/").status_code == 200
    assert client.get("/settings/organization/other/usage/cost/?month=2026-10").status_code == 200
