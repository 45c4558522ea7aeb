"""Closers at the same time, and who changes a month beside its closing, each with a connection of its own."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from billing.invoices import closing, grants, invoices
from billing.invoices.grants import GrantRefusedError, GrantTerms
from billing.models import CreditGrant, Invoice, InvoiceLine, PriceChange
from billing.payer_history import PayerSince
from billing.prices import payers, rerating
from billing.prices.payers import BilledMonthError
from billing.prices.rerating import ClosedMonthError
from tests.database.waiting import until_somebody_waits
from tests.money import ACTOR, OCTOBER, at, set_price, terms, use
from tests.world import World, make_organization, make_world

NUM_CLOSERS = 3


def used() -> World:
    """Other has used $1.00 in October, committed."""
    world = make_world()
    set_price("m", "0.01")
    use(world.other, "2026-10-02", "m", input_tokens=100)
    return world


@pytest.mark.django_db(transaction=True)
def test_closers_at_the_same_time_make_one_invoice_for_each_payer_and_number_without_gaps() -> None:
    make_world()
    set_price("big", "0.01")
    customers = [make_organization(f"Payer {number}") for number in range(8)]
    for payer in customers:
        use(payer, "2026-10-02", "big", input_tokens=100)
    together = Barrier(NUM_CLOSERS)

    def close() -> None:
        try:
            together.wait()
            list(closing.close_month(OCTOBER, now=at("2026-11-10")))
        finally:
            connection.close()

    with ThreadPoolExecutor(NUM_CLOSERS) as pool:
        for done in [pool.submit(close) for _ in range(NUM_CLOSERS)]:
            done.result()
    numbers = Invoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [f"INV-2026-{number:04d}" for number in range(1, len(customers) + 1)]
    assert InvoiceLine.objects.aggregate(total=Sum("amount"))["total"] == len(customers)


@pytest.mark.django_db(transaction=True)
def test_a_grant_from_a_month_whose_invoice_becomes_final_at_that_moment_is_refused() -> None:
    world = used()
    wanted = GrantTerms(name="Credit", amount=Decimal(5), category="paid", effective_at=at("2026-10-01"))

    def give() -> None:
        try:
            grants.give(world.other, wanted, actor=ACTOR)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            invoices.finalize(world.other, OCTOBER, at("2026-11-04"))
            given = threads.submit(give)
            until_somebody_waits()
        with pytest.raises(GrantRefusedError, match="INV-2026-0001 is final"):
            given.result(timeout=30)
    assert not CreditGrant.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_price_change_beside_an_invoice_that_becomes_final_is_refused() -> None:
    world = used()
    wanted = terms("m", "0.02", start="2026-10-01")

    def change() -> None:
        try:
            rerating.change_price(wanted, actor=ACTOR)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            invoices.finalize(world.other, OCTOBER, at("2026-11-04"))
            changed = threads.submit(change)
            until_somebody_waits()
        with pytest.raises(ClosedMonthError, match="INV-2026-0001"):
            changed.result(timeout=30)
    assert not PriceChange.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_invoice_beside_a_price_change_is_issued_over_the_new_price() -> None:
    world = used()
    wanted = terms("m", "0.02", start="2026-10-01")

    def close() -> Invoice | None:
        try:
            return closing.close_payer(world.other, OCTOBER, now=at("2026-11-04"))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            rerating.change_price(wanted, actor=ACTOR)
            closed = threads.submit(close)
            until_somebody_waits()
        invoice = closed.result(timeout=30)
    assert invoice is not None
    assert (invoice.state, invoice.total) == (Invoice.State.OPEN, Decimal(2))


@pytest.mark.django_db(transaction=True)
def test_a_change_of_payer_beside_an_invoice_that_becomes_final_is_refused() -> None:
    world = used()

    def change() -> None:
        try:
            payers.change_payer(organization=world.other, parent=world.acme, actor=ACTOR, now=at("2026-10-31"))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            invoices.finalize(world.other, OCTOBER, at("2026-11-04"))
            changed = threads.submit(change)
            until_somebody_waits()
        with pytest.raises(BilledMonthError, match="2026-11-01"):
            changed.result(timeout=30)
    assert not PayerSince.objects.exists()
    assert not PriceChange.objects.exists()
