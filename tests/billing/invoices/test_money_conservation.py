"""Over any history of usage, prices, credit, corrections and payers: the documents sum to the costs, to the digit."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Organization
from accounts.periods import Period, month_of, next_month
from billing.invoices import balance, grants, invoices, proof
from billing.invoices.credits import pay, used_by
from billing.invoices.grants import GrantRefusedError, GrantTerms, pure
from billing.invoices.invoices import applied_credit
from billing.models import BillingDetails, CreditGrant, Invoice, NumberSeries
from billing.money import to_cents
from billing.prices import payers, rerating
from billing.prices.rerating import ClosedMonthError
from billing.refunds import BalanceRefund
from tests.money import (
    ACTOR,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    at,
    billed_by_hand,
    change_price,
    close,
    release_held,
    rounded_costs,
    set_price,
    terms,
    total_of,
    use,
)
from tests.world import World

pytestmark = pytest.mark.django_db
MODELS = ("m1", "m2", "m3")
FIRST_DAY = date(2026, 9, 20)
MONTHS = (month_of(FIRST_DAY), OCTOBER, NOVEMBER, DECEMBER)
Step = Callable[[list[Organization], date], None]

prices = st.sampled_from(["0", "0.000000000001", "0.000003333333", "0.0025", "0.005", "0.015", "7"])
days = st.integers(0, 70).map(lambda number: FIRST_DAY + timedelta(days=number))
organization = st.integers(0, 3)


def _use(number: int, day: date, model: str, tokens: int) -> Step:
    def step(organizations: list[Organization], today: date) -> None:
        use(organizations[number], min(day, today), model, input_tokens=tokens, output_tokens=tokens // 2)

    return step


def _price(number: int | None, day: date, model: str, unit_price: str | None) -> Step:
    def step(organizations: list[Organization], today: date) -> None:
        payer = None if number is None else organizations[number]
        try:
            change_price(terms(model, unit_price, start=str(day), organization=payer))
        except ClosedMonthError as refused:
            change_price(terms(model, unit_price, start=str(refused.first_open_date), organization=payer))

    return step


def _grant(number: int, day: date, cents: int, length: int | None) -> Step:
    def step(organizations: list[Organization], today: date) -> None:
        asked = GrantTerms(
            name="Credit",
            amount=Decimal(cents) / 100,
            category="paid",
            effective_at=at(str(day)),
            expires_at=None if length is None else at(str(day + timedelta(days=length))),
        )
        with suppress(GrantRefusedError):
            grants.give(organizations[number], asked, actor=ACTOR)

    return step


def _void_grant(organizations: list[Organization], today: date) -> None:
    if grant := CreditGrant.objects.order_by("pk").last():
        grants.void(grant, actor=ACTOR, now=at(str(today)))


def _move(*, to_parent: bool) -> Step:
    def step(organizations: list[Organization], today: date) -> None:
        parent = Organization.objects.get(pk=organizations[0].pk) if to_parent else None
        labs = Organization.objects.get(pk=organizations[1].pk)
        change = payers.change_payer(organization=labs, parent=parent, actor=ACTOR, now=at(str(today)))
        rerating.re_rate(change)

    return step


def _void_invoice(organizations: list[Organization], today: date) -> None:
    if final := Invoice.objects.filter(kind="invoice", state__in=["open", "paid"]).order_by("pk").last():
        invoices.void(final, actor=ACTOR, now=at(str(today)))


def _pay_invoice(organizations: list[Organization], today: date) -> None:
    if unpaid := Invoice.objects.filter(kind="invoice", state="open").order_by("pk").first():
        invoices.mark_paid(unpaid, actor=ACTOR, now=at(str(today)))


def _refund(number: int) -> Step:
    def step(organizations: list[Organization], today: date) -> None:
        payer = organizations[number]
        if (amount := balance.balance_of(payer.pk)) > 0:
            balance.refund(payer, amount, actor=ACTOR)

    return step


steps = st.one_of(
    st.builds(_use, organization, days, st.sampled_from(MODELS), st.integers(-50_000, 100_000)),
    st.builds(_use, organization, days, st.sampled_from(MODELS), st.integers(1, 100)),
    st.builds(_price, st.none() | organization, days, st.sampled_from(MODELS), st.none() | prices),
    st.builds(_grant, organization, days, st.integers(1, 20_000), st.none() | st.integers(1, 60)),
    st.just(_void_grant),
    st.builds(_move, to_parent=st.booleans()),
    st.just(_void_invoice),
    st.just(_pay_invoice),
    st.builds(_refund, organization),
)
histories = st.tuples(*[st.lists(steps, max_size=7)] * 3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, tax_rate=st.sampled_from(["0", "0.19", "0.077"]))
def test_all_documents_sum_to_costs_less_credit_plus_tax(
    world: World, history: tuple[list[Step], ...], tax_rate: str
) -> None:
    organizations = [world.acme, world.labs, world.japan, world.other]
    with transaction.atomic():
        BillingDetails.objects.create(organization=world.acme, tax_rate=tax_rate)
        for model, unit_price in zip(MODELS, ("0.005", "0.000003333333", "0.0025"), strict=True):
            set_price(model, unit_price)
        for month, happenings in zip((OCTOBER, NOVEMBER, DECEMBER), history, strict=True):
            for step in happenings:
                step(organizations, month.end - timedelta(days=1))
            _close_all(month)
            _check()
            _check_proof()
        _close_all(next_month(DECEMBER))
        _check()
        _check_proof()
        transaction.set_rollback(True)


def _close_all(month: Period) -> None:
    close(month)
    release_held(month.end_at.replace(day=5))


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
