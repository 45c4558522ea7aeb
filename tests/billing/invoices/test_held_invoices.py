"""A month below zero is never issued by itself: it is held back until a person releases it, or its cause is corrected."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Organization, User
from accounts.periods import Period
from billing.alerts import Delivery, WebhookFormat
from billing.invoices import balance, closing, holds, invoices
from billing.invoices.invoices import InvoiceRefusedError
from billing.models import Invoice
from billing.notices import endpoints
from tests.money import (
    ACTOR,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    at,
    close,
    release_held,
    rounded_costs,
    set_price,
    total_of,
    use,
)
from tests.world import World

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/settings/invoices/"


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True, is_superuser=True)
    return client_of(world.bob)


@pytest.fixture
def held(world: World, staff: Client) -> Invoice:
    """October used $25.00, of which $1,000.00 were corrected: −$975.00."""
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=2_500)
    use(world.other, "2026-10-03", "m", input_tokens=-100_000)
    [october] = close(OCTOBER)
    return october


def test_a_month_below_zero_has_no_number_and_is_on_no_balance(world: World, held: Invoice) -> None:
    assert (held.state, held.number, held.total) == ("draft", None, Decimal(-975))
    assert held.held_at is not None
    assert balance.balance_of(world.other.pk) == 0
    assert total_of("total") == 0
    assert closing.close_payer(world.other, OCTOBER, now=at("2026-11-20")) == held
    assert balance.payers_with_balance() == []


def test_staff_are_told_once(world: World, held: Invoice) -> None:
    close(OCTOBER)
    closing.close_ended_months(at("2026-11-05"))
    [told] = Delivery.objects.filter(event_type="invoice.held")
    assert told.recipient == world.bob.email
    assert "Other for October 2026 is on hold" in told.subject
    assert "−$975.00" in told.body
    assert "/settings/invoices/#held" in told.body
    assert AuditEvent.objects.filter(event="invoice.held", organization=world.other).count() == 1


def test_all_that_a_run_holds_is_one_message_that_names_the_first_few(world: World, staff: Client) -> None:
    endpoints.add(None, "https://example.com/operator", actor=ACTOR)
    endpoints.add(None, "https://hooks.slack.com/services/T/B/x", actor=ACTOR, format=WebhookFormat.SLACK)
    set_price("m", "0.01")
    for number in range(12):
        payer = Organization.objects.create(name=f"Team {number:02}", slug=f"team-{number}")
        use(payer, "2026-10-02", "m", input_tokens=-100 * (number + 1))
    closing.close_ended_months(at("2026-11-05"))
    sent = Delivery.objects.filter(event_type="invoice.held")
    assert set(sent.values_list("recipient", flat=True)) > {world.bob.email, "https://example.com/operator"}
    assert sent.count() == 3
    assert set(sent.values_list("subject", flat=True)) == {"12 invoices are on hold"}
    for told in sent.values_list("body", flat=True):
        assert [f"Team {number:02} for October 2026" in told for number in range(12)] == [False] * 7 + [True] * 5
        assert "It is below zero: " in told
        assert "And 7 more." in told
        assert "/settings/invoices/#held" in told
    assert AuditEvent.objects.filter(event="invoice.held").count() == 12


def test_the_next_run_tells_of_what_is_new_alone(world: World, held: Invoice) -> None:
    use(world.acme, "2026-11-02", "m", input_tokens=-100)
    use(world.other, "2026-11-02", "m", input_tokens=100)
    closing.close_ended_months(at("2026-12-05"))
    _, second = Delivery.objects.filter(event_type="invoice.held").order_by("id")
    assert second.subject == "2 invoices are on hold"
    assert "Acme for November 2026" in second.body
    assert "Other for November 2026 is on hold. It waits for October 2026" in second.body
    assert "October 2026 is on hold. It is" not in second.body


def test_what_a_run_held_that_was_cut_off_is_told_by_the_next(world: World, staff: Client) -> None:
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=-100)
    cut_off = closing.close_month(OCTOBER, now=at("2026-11-05"))
    next(cut_off)
    cut_off.close()
    assert holds.held_invoices().exists()
    assert not Delivery.objects.filter(event_type="invoice.held").exists()
    closing.close_ended_months(at("2026-11-05"))
    assert Delivery.objects.filter(event_type="invoice.held").count() == 1
    assert holds.tell_staff() == 0


def test_what_was_held_is_told_though_something_else_ends_the_run(
    world: World, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=-100)
    next(closing.close_month(OCTOBER, now=at("2026-11-05")))

    def ends(now: datetime) -> list[Period]:
        raise ArithmeticError

    monkeypatch.setattr(closing, "_open_months", ends)
    with pytest.raises(ArithmeticError):
        closing.close_ended_months(at("2026-11-05"))
    assert Delivery.objects.filter(event_type="invoice.held").count() == 1


def test_a_closing_does_not_write_back_whether_staff_were_told(world: World, held: Invoice) -> None:
    use(world.other, "2026-10-04", "m", input_tokens=-100)
    with CaptureQueriesContext(connection) as found:
        invoices.finalize(world.other, OCTOBER, at("2026-11-06"))
    written = [query["sql"] for query in found if query["sql"].startswith('UPDATE "billing_invoice"')]
    assert written
    assert not any("held_told_at" in sql for sql in written)


def test_the_others_are_closed(world: World, staff: Client) -> None:
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=-100)
    use(world.acme, "2026-10-02", "m", input_tokens=100)
    close(OCTOBER)
    assert list(Invoice.objects.order_by("payer__name").values_list("payer__name", "state")) == [
        ("Acme", "open"),
        ("Other", "draft"),
    ]


def test_later_months_wait_and_do_not_offset_it_unseen(world: World, held: Invoice) -> None:
    use(world.other, "2026-11-02", "m", input_tokens=1_000_000)
    [november] = close(NOVEMBER)
    assert (november.state, november.number) == ("draft", None)
    assert "It waits for October 2026" in Delivery.objects.get(message_id=f"msg_holds_{november.pk}").body
    with pytest.raises(InvoiceRefusedError, match="waits for October 2026"):
        invoices.release(november, november.total, actor=ACTOR, now=at("2026-12-05"))
    [released] = release_held(at("2026-12-05"))
    assert (released.number, released.total, released.due, released.state) == (
        "INV-2026-0001",
        Decimal(-975),
        Decimal(0),
        "paid",
    )
    november.refresh_from_db()
    assert (november.number, november.total, november.due) == ("INV-2026-0002", Decimal(10_000), Decimal(9_025))
    assert total_of("subtotal") == rounded_costs() == 9_025


def test_a_corrected_cause_issues_it_with_the_next_closing(world: World, held: Invoice) -> None:
    use(world.other, "2026-10-03", "m", input_tokens=100_000)
    closing.close_ended_months(at("2026-11-06"))
    held.refresh_from_db()
    assert (held.number, held.total, held.held_at) == ("INV-2026-0001", Decimal(25), None)


def test_a_month_that_comes_to_nothing_in_the_end_is_no_invoice(world: World, held: Invoice) -> None:
    use(world.other, "2026-10-03", "m", input_tokens=97_500)
    closing.close_ended_months(at("2026-11-06"))
    assert not Invoice.objects.exists()


def test_staff_release_what_they_see_and_nothing_else(world: World, staff: Client, held: Invoice) -> None:
    page = staff.get(PAGE).content.decode()
    assert "It is below zero: −$975.00 of usage, −$975.00 in total." in page
    address = f"{PAGE}{held.pk}/release/"
    assert f'action="{address}"' in page
    use(world.other, "2026-10-03", "m", input_tokens=-100)
    late = staff.post(address, {"amount": "-975.00"}, follow=True).content.decode()
    assert "The total of this invoice is now −$976.00" in late
    assert "issued." in staff.post(address, {"amount": "-976.00"}, follow=True).content.decode()
    assert balance.balance_of(world.other.pk) == 976
    again = staff.post(address, {"amount": "-976.00"}, follow=True).content.decode()
    assert "no longer on hold" in again
    assert AuditEvent.objects.get(event="invoice.released").actor_name == world.bob.email
    assert Delivery.objects.filter(event_type="invoice.finalized").exists()


@pytest.mark.parametrize("sent", [{}, {"amount": ""}, {"amount": "much"}, {"amount": "NaN"}])
def test_a_release_says_over_how_much(staff: Client, held: Invoice, sent: dict[str, str]) -> None:
    assert "review it again" in staff.post(f"{PAGE}{held.pk}/release/", sent, follow=True).content.decode()
    held.refresh_from_db()
    assert held.number is None


def test_owners_see_that_it_is_held_and_cannot_release_it(world: World, client_of: SignIn, held: Invoice) -> None:
    client, page = client_of(world.charlie), "/settings/organization/other/billing/"
    assert "Held" in client.get(page).content.decode()
    assert "on hold until the operator" in client.get(f"{page}invoices/{held.pk}/").content.decode()
    assert client.post(f"{PAGE}{held.pk}/release/", {"amount": "-975.00"}).status_code == 404


def test_all_documents_sum_to_all_costs_after_late_usage_and_releases(world: World, held: Invoice) -> None:
    use(world.other, "2026-11-02", "m", input_tokens=50)
    close(NOVEMBER)
    use(world.other, "2026-10-30", "m", input_tokens=7)
    use(world.other, "2026-12-02", "m", input_tokens=3)
    close(DECEMBER)
    release_held(at("2027-01-05"))
    assert total_of("subtotal") == rounded_costs() == Decimal("-974.40")
    assert balance.balance_of(world.other.pk) == Decimal("974.40")
