"""Random histories of money: usage, late usage and corrections, prices, credit, payers, voids, payments and refunds."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.invoices import balance, grants, invoices
from billing.invoices.grants import GrantRefusedError, GrantTerms
from billing.models import BillingDetails, CreditGrant, Invoice
from billing.prices import payers, rerating
from billing.prices.rerating import ClosedMonthError
from tests.money import (
    ACTOR,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    at,
    change_price,
    close,
    release_held,
    set_price,
    terms,
    use,
)
from tests.world import World

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
        payer, start = None if number is None else organizations[number], day
        while True:  # from the day that is named on, other rows of the book may be closed
            try:
                change_price(terms(model, unit_price, start=str(start), organization=payer))
            except ClosedMonthError as refused:
                start = refused.first_open_date
            else:
                return

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


def begin(world: World, tax_rate: str) -> list[Organization]:
    """Prices and terms before anything happens; the organizations that histories are about."""
    BillingDetails.objects.create(organization=world.acme, tax_rate=tax_rate)
    for model, unit_price in zip(MODELS, ("0.005", "0.000003333333", "0.0025"), strict=True):
        set_price(model, unit_price)
    return [world.acme, world.labs, world.japan, world.other]


def live(month: Period, happenings: list[Step], organizations: list[Organization]) -> None:
    """What happens up to the month's last day, and its end."""
    for step in happenings:
        step(organizations, month.end - timedelta(days=1))
    close_all(month)


def close_all(month: Period) -> None:
    close(month)
    release_held(month.end_at.replace(day=5))
