"""Documents below zero, and what was paid of void ones: carried to the next invoice, or paid back."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from django.db import InternalError, connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, User
from billing.alerts import Delivery
from billing.invoices import balance, closing, invoices
from billing.invoices.balance import RefundRefusedError
from billing.models import BillingDetails, Invoice
from billing.refunds import BalanceRefund
from tests.money import ACTOR, DECEMBER, NOVEMBER, OCTOBER, at, close, release_held, set_price, use
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
TOKEN = {"Authorization": "Bearer a long random token"}


@pytest.fixture
def below_zero(world: World) -> Invoice:
    """October charged $3.00, which is paid; then $5.00 were corrected, and November used $1.00 alone: −$4.00, released."""
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=300)
    [october] = close(OCTOBER)
    invoices.mark_paid(october, actor=ACTOR, now=at("2026-11-10"))
    use(world.other, "2026-10-02", "m", input_tokens=-500)
    use(world.other, "2026-11-02", "m", input_tokens=100)
    close(NOVEMBER)
    [november] = release_held(at("2026-12-04"))
    return november


def test_an_invoice_below_zero_is_settled_and_the_next_one_takes_from_it(world: World, below_zero: Invoice) -> None:
    assert (below_zero.total, below_zero.due, below_zero.state) == (Decimal(-4), Decimal(0), "paid")
    assert balance.balance_of(world.other.pk) == 4
    use(world.other, "2026-12-02", "m", input_tokens=1000)
    [december] = close(DECEMBER)
    assert (december.total, december.balance_change, december.due) == (Decimal(10), Decimal(-4), Decimal(6))
    assert (december.state, balance.balance_of(world.other.pk)) == ("open", Decimal(0))


def test_a_balance_that_covers_an_invoice_pays_it_and_the_rest_is_carried(world: World, below_zero: Invoice) -> None:
    use(world.other, "2026-12-02", "m", input_tokens=150)
    [december] = close(DECEMBER)
    assert (december.total, december.due, december.state) == (Decimal("1.50"), Decimal(0), "paid")
    assert balance.balance_of(world.other.pk) == Decimal("2.50")
    assert "for $1.50 was paid from your balance." in Delivery.objects.latest("pk").body


def test_tax_is_given_back_with_what_it_was_on(world: World) -> None:
    BillingDetails.objects.create(organization=world.other, tax_rate="0.19")
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=300)
    close(OCTOBER)
    use(world.other, "2026-10-02", "m", input_tokens=-300)
    close(NOVEMBER)
    [november] = release_held(at("2026-12-04"))
    assert (november.subtotal, november.tax, november.balance_change) == (
        Decimal(-3),
        Decimal("-0.57"),
        Decimal("3.57"),
    )


def test_what_was_paid_of_a_void_invoice_pays_the_one_in_its_place(world: World) -> None:
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=300)
    [october] = close(OCTOBER)
    invoices.mark_paid(october, actor=ACTOR, now=at("2026-11-10"))
    note = invoices.void(october, actor=ACTOR, now=at("2026-11-10"))
    assert (note.total, note.balance_change, note.due) == (Decimal(-3), Decimal(3), Decimal(0))
    again = closing.close_payer(world.other, OCTOBER, now=at("2026-11-11"))
    assert again is not None
    assert (again.total, again.due, again.state) == (Decimal(3), Decimal(0), "paid")
    assert balance.balance_of(world.other.pk) == 0


def test_voiding_an_unpaid_invoice_gives_back_what_came_from_the_balance_and_no_more(
    world: World, below_zero: Invoice
) -> None:
    use(world.other, "2026-12-02", "m", input_tokens=1000)
    [december] = close(DECEMBER)
    note = invoices.void(december, actor=ACTOR, now=at("2027-01-10"))
    assert (note.total, note.balance_change, note.due) == (Decimal(-10), Decimal(4), Decimal(-6))
    assert balance.balance_of(world.other.pk) == 4


def test_what_a_void_document_gave_and_was_used_is_asked_for_with_the_next_invoice(
    world: World, below_zero: Invoice
) -> None:
    balance.refund(world.other, Decimal(4), actor=ACTOR)
    invoices.void(below_zero, actor=ACTOR, now=at("2026-12-10"))
    assert balance.balance_of(world.other.pk) == -4
    use(world.other, "2026-12-02", "m", input_tokens=1000)
    [december] = close(DECEMBER)
    assert (december.total, december.due) == (Decimal(6), Decimal(10))


def test_a_refund_is_once_and_never_more_than_the_balance(world: World, below_zero: Invoice) -> None:
    for amount in ("4.01", "0", "-1", "0.001", "NaN"):
        with pytest.raises(RefundRefusedError):
            balance.refund(world.other, Decimal(amount), actor=ACTOR)
    first = balance.refund(world.other, Decimal(1), actor=ACTOR, reference="bank-1")
    assert balance.refund(world.other, Decimal(1), actor=ACTOR, reference="bank-1") == first
    with pytest.raises(RefundRefusedError, match="bank-1 was"):
        balance.refund(world.other, Decimal(2), actor=ACTOR, reference="bank-1")
    assert balance.balance_of(world.other.pk) == 3
    assert AuditEvent.objects.get(event="balance.refunded").details == {"amount": "1", "reference": "bank-1"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_balancerefund SET amount = 0.01",
        "DELETE FROM billing_balancerefund",
        "INSERT INTO billing_balancerefund (payer_id, amount, reference) SELECT payer_id, 3.01, '' FROM billing_balancerefund",
    ],
)
def test_the_database_refuses_other_refunds(world: World, below_zero: Invoice, statement: str) -> None:
    balance.refund(world.other, Decimal(1), actor=ACTOR)
    with pytest.raises(InternalError, match="refund"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_owner_and_paper_say_where_the_money_is(world: World, client_of: SignIn, below_zero: Invoice) -> None:
    client, page = client_of(world.charlie), "/settings/organization/other/billing/"
    assert "Your balance is <strong>$4.00</strong>" in client.get(page).content.decode()
    document = client.get(f"{page}invoices/{below_zero.pk}/").content.decode()
    for text in ("−$4.00", "To your balance", "Amount due (USD)", "$0.00"):
        assert text in document
    assert client.get(f"{page}invoices/{below_zero.pk}/pdf/").content.startswith(b"%PDF-")


def test_staff_mark_a_balance_as_refunded_with_one_click(world: World, client_of: SignIn, below_zero: Invoice) -> None:
    address = "/settings/balances/other/refunds/"
    assert client_of(world.alice).post(address, {"amount": "4.00"}).status_code == 404
    User.objects.filter(pk=world.bob.pk).update(is_staff=True, is_superuser=True)
    client = client_of(world.bob)
    assert f'action="{address}"' in client.get("/settings/invoices/").content.decode()
    page = client.post(address, {"amount": "4.00"}, follow=True).content.decode()
    assert "marked as refunded" in page
    assert address not in page
    assert "less than $4.00" in client.post(address, {"amount": "4.00"}, follow=True).content.decode()
    assert BalanceRefund.objects.get().refunded_by == world.bob


def test_accounting_marks_a_refund_by_api_and_may_repeat_it(
    world: World, below_zero: Invoice, settings: Settings
) -> None:
    address = f"/v1/organizations/{world.other.public_id}/refunds"
    sent = {"amount": "4.00", "reference": "bank-1"}
    assert Client().post(address, sent).status_code == 404
    settings.OPERATOR_TOKEN = "a long random token"
    assert Client().post(address, sent, "application/json").status_code == 401
    assert Client().post("/v1/organizations/org_x/refunds", sent, "application/json", headers=TOKEN).status_code == 404
    for _ in range(2):
        answer = Client().post(address, sent, "application/json", headers=TOKEN)
        assert (answer.status_code, answer.json()["balance"]) == (200, "0.00")
    more = Client().post(address, sent | {"reference": "bank-2"}, "application/json", headers=TOKEN)
    assert (more.status_code, more.json()["error"]["code"]) == (409, "not_refundable")
    bad = Client().post(address, {"amount": "much"}, "application/json", headers=TOKEN)
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "invalid_request")
    assert BalanceRefund.objects.count() == 1


def test_a_draft_shows_the_balance_as_it_is_then(world: World, below_zero: Invoice) -> None:
    use(world.other, "2026-12-02", "m", input_tokens=1000)
    [draft] = close(DECEMBER, days_after=1)
    assert (draft.state, draft.due) == ("draft", Decimal(6))
    balance.refund(world.other, Decimal(3), actor=ACTOR)
    [final] = close(DECEMBER)
    assert (final.pk, final.due, final.month) == (draft.pk, Decimal(9), date(2026, 12, 1))
