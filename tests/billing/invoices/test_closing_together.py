"""Two closers at the same time, each with a connection of its own."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.db.models import Sum

from billing.invoices import closing
from billing.models import Invoice, InvoiceLine
from tests.money import OCTOBER, at, set_price, use
from tests.world import make_organization, make_world

NUM_CLOSERS = 3


@pytest.mark.django_db(transaction=True)
def test_closers_at_the_same_time_make_one_invoice_for_each_payer_and_number_without_gaps() -> None:
    make_world()
    set_price("big", "0.01")
    payers = [make_organization(f"Payer {number}") for number in range(8)]
    for payer in payers:
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
    assert list(numbers) == [f"INV-2026-{number:04d}" for number in range(1, len(payers) + 1)]
    assert InvoiceLine.objects.aggregate(total=Sum("amount"))["total"] == len(payers)
