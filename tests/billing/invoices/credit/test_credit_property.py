"""Over any costs, grants, closes in any order, voids and late usage: each grant pays on documents what the pure rule says.

The test keeps its own account of what documents charge by day: a document of a month charges every day up to the month's end
for what it costs then, and a credit note takes back what its invoice charged.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.models import Organization
from accounts.periods import Period, month_of
from billing.invoices import closing, grants, invoices, proof
from billing.invoices.credits import pay, used_by
from billing.invoices.grants import GrantRefusedError, GrantTerms, pure
from billing.invoices.invoices import applied_credit
from billing.models import CreditGrant, Invoice
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, billed_by_hand, set_price, use
from tests.world import World

pytestmark = pytest.mark.django_db
SEPTEMBER = month_of(date(2026, 9, 1))
DECEMBER = month_of(date(2026, 12, 1))
MONTHS = (SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER)
LATER = at("2027-01-10")
FIRST_DAY = SEPTEMBER.start
Days = dict[date, Decimal]


@dataclass
class Account:
    """What the documents of a payer charge by day, and what each of them charged."""

    payer: Organization
    users: tuple[Organization, ...]
    charged: Days = field(default_factory=dict)
    documents: dict[int, Days] = field(default_factory=dict)
    last_closed: date = FIRST_DAY

    def close(self, month: Period) -> None:
        self.last_closed = max(self.last_closed, month.end)
        before = set(self.documents)
        found = closing.close_payer(self.payer, month, now=LATER)
        if found is not None and found.held_at is None and found.pk not in before:
            self.issued(found)
        while held := Invoice.objects.filter(held_at__isnull=False).order_by("month").first():
            fresh = closing.close_payer(self.payer, month_of(held.month), now=LATER)
            if fresh is not None and fresh.held_at is not None:
                fresh = invoices.release(fresh, fresh.total, actor=ACTOR, now=LATER)
            if fresh is not None and fresh.pk not in self.documents:
                self.issued(fresh)

    def issued(self, document: Invoice) -> None:
        end = month_of(document.month).end
        costs = {day: cents for day, cents in billed_by_hand(self.payer).items() if day < end}
        days = costs.keys() | {day for day in self.charged if day < end}
        change = {day: costs.get(day, Decimal(0)) - self.charged.get(day, Decimal(0)) for day in days}
        self.documents[document.pk] = change
        self._add(change, 1)
        self.check(self.charged)

    def void(self, document: Invoice) -> None:
        invoices.void(document, actor=ACTOR, now=LATER)
        self._add(self.documents[document.pk], -1)

    def check(self, costs: Days) -> None:
        """The credit of each grant, on all documents together."""
        found = [pure(grant) for grant in CreditGrant.objects.filter(organization=self.payer)]
        applied = {grant: amount for grant, amount in applied_credit(self.payer.pk).items() if amount}
        assert applied == used_by(pay(costs, found))

    def _add(self, change: Days, sign: int) -> None:
        for day, amount in change.items():
            self.charged[day] = self.charged.get(day, Decimal(0)) + sign * amount


Step = Callable[[Account], None]


def _use(number: int, day: date, model: str, tokens: int) -> Step:
    return lambda account: use(account.users[number], day, model, input_tokens=tokens)


def _grant(day: date, cents: int, length: int | None, priority: int) -> Step:
    def step(account: Account) -> None:
        asked = GrantTerms(
            name="Credit",
            amount=Decimal(cents) / 100,
            category="paid",
            effective_at=at(str(day)),
            expires_at=None if length is None else at(str(day + timedelta(days=length))),
            priority=priority,
        )
        with suppress(GrantRefusedError):
            grants.give(account.payer, asked, actor=ACTOR)

    return step


def _void_grant(day: date) -> Step:
    def step(account: Account) -> None:
        if grant := CreditGrant.objects.filter(voided_at__isnull=True).order_by("pk").last():
            grants.void(grant, actor=ACTOR, now=at(str(max(day, account.last_closed))))

    return step


def _void(number: int) -> Step:
    def step(account: Account) -> None:
        final = list(Invoice.objects.filter(kind="invoice", state__in=["open", "paid"]).order_by("place"))
        if final:
            account.void(final[number % len(final)])

    return step


def _close(number: int) -> Step:
    return lambda account: account.close(MONTHS[number])


days = st.integers(0, 90).map(lambda number: FIRST_DAY + timedelta(days=number))
models = st.sampled_from(["m", "n"])
uses = st.builds(_use, st.integers(0, 1), days, models, st.integers(1, 6_000))
steps = st.one_of(
    uses,
    st.builds(_use, st.integers(0, 1), days, models, st.integers(-3_000, -1)),
    st.builds(_grant, days, st.integers(1, 10_000), st.none() | st.integers(1, 90), st.integers(1, 3)),
    st.builds(_void_grant, days),
    st.builds(_void, st.integers(0, 2)),
    st.builds(_void, st.integers(0, 2)),
    st.builds(_close, st.integers(0, 2)),
    st.builds(_close, st.integers(0, 2)),
)
# Something to pay, and something that pays it: without both there is no credit to be wrong about.
beginnings = st.tuples(
    st.builds(_grant, st.just(FIRST_DAY), st.integers(2_000, 10_000), st.none() | st.integers(60, 90), st.just(2)),
    *[st.builds(_use, st.just(0), st.just(month.start), models, st.integers(500, 6_000)) for month in MONTHS[:3]],
)


@example(
    beginning=(_grant(FIRST_DAY, 2_000, None, 2), *(_use(0, month.start, "m", 500) for month in MONTHS[:3])),
    history=[_close(2), _use(0, NOVEMBER.start, "m", 1)],
)
@settings(max_examples=35, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(beginning=beginnings, history=st.lists(steps, min_size=3, max_size=16))
def test_each_grant_pays_what_the_rule_says_never_more_never_less(
    world: World, beginning: tuple[Step, ...], history: list[Step]
) -> None:
    with transaction.atomic():
        set_price("m", "0.01")
        set_price("n", "0.003333333333")
        account = Account(world.acme, (world.acme, world.labs))
        for step in (*beginning, *history):
            step(account)
        _check_proof()
        for step in map(_close, range(4)):  # late usage of a month is on the document of the next one
            step(account)
        _check_proof()
        account.check(billed_by_hand(world.acme))
        transaction.set_rollback(True)


def _check_proof() -> None:
    """The nightly proof has nothing to say about any document; what costs have come since waits for the next one."""
    with connection.cursor() as cursor:
        drifts = [drift for month in MONTHS for drift in proof.prove_month(cursor, month)]
    assert [drift for drift in drifts if drift.num_different and drift.layer != "cost = billed"] == []
