"""Over any history of usage, prices, credit, corrections and payers: the documents sum to the costs, to the digit."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Organization
from accounts.periods import next_month
from billing.document_parts import NumberSeries
from billing.invoices import balance, proof
from billing.invoices.credits import pay, used_by
from billing.invoices.grants import pure
from billing.invoices.invoices import applied_credit
from billing.models import Invoice
from billing.money import to_cents
from billing.refunds import BalanceRefund
from tests.money import DECEMBER, NOVEMBER, OCTOBER, billed_by_hand, rounded_costs, total_of
from tests.usage.histories import MONTHS, Step, begin, close_all, histories, live
from tests.world import World

pytestmark = pytest.mark.django_db


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, tax_rate=st.sampled_from(["0", "0.19", "0.077"]))
def test_all_documents_sum_to_costs_less_credit_plus_tax(
    world: World, history: tuple[list[Step], ...], tax_rate: str
) -> None:
    with transaction.atomic():
        organizations = begin(world, tax_rate)
        for month, happenings in zip((OCTOBER, NOVEMBER, DECEMBER), history, strict=True):
            live(month, happenings, organizations)
            _check()
            _check_proof()
        close_all(next_month(DECEMBER))
        _check()
        _check_proof()
        transaction.set_rollback(True)


def _check() -> None:
    finals = Invoice.objects.exclude(state="draft")
    assert total_of("subtotal") == rounded_costs()
    for payer in Organization.objects.all():
        assert sum(applied_credit(payer.pk).values()) == _credit_by_the_rule(payer)
    assert total_of("total") == total_of("subtotal") - total_of("credits") + total_of("tax")
    for invoice in finals:
        assert invoice.tax == to_cents((invoice.subtotal - invoice.credits) * invoice.tax_rate)
    for payer in Organization.objects.all():
        assert _owed_and_paid(payer) == sum(finals.filter(payer=payer).values_list("total", flat=True))
    for series in NumberSeries.objects.all():
        numbers = finals.filter(number__startswith=series.name).order_by("number").values_list("number", flat=True)
        assert list(numbers) == [f"{series.name}-{number:04d}" for number in range(1, series.last_number + 1)]


def _check_proof() -> None:
    """The nightly proof says the same, for every month that there is."""
    with connection.cursor() as cursor:
        for month in MONTHS:
            drifts = list(proof.prove_month(cursor, month))
            assert [drift for drift in drifts if drift.num_different] == []


def _owed_and_paid(payer: Organization) -> Decimal:
    """What the payer paid and has to pay by open invoices, less what is in their favour and what they got back."""
    documents = Invoice.objects.filter(payer=payer, kind="invoice")
    paid = sum(documents.filter(paid_at__isnull=False).values_list("due", flat=True))
    unpaid = sum(documents.filter(state="open").values_list("due", flat=True))
    back = sum(BalanceRefund.objects.filter(payer=payer).values_list("amount", flat=True))
    return Decimal(paid + unpaid - back - balance.balance_of(payer.pk))


def _credit_by_the_rule(payer: Organization) -> Decimal:
    """What the pure rule says the payer's grants pay of all that is on their documents."""
    used = used_by(pay(billed_by_hand(payer), [pure(grant) for grant in payer.credit_grants.all()]))
    return sum(used.values(), start=Decimal(0))
