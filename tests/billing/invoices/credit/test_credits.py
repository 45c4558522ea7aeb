"""Which credit grant pays which day."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.invoices.credits import Grant, GrantState, Payment, pay, state_of, used_by

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def grant(grant_id: int, amount: str, start_day: int = 1, end_day: int | None = None, **more: object) -> Grant:
    ends = None if end_day is None else datetime(2026, 1, end_day, tzinfo=UTC)
    start = datetime(2026, 1, start_day, tzinfo=UTC)
    return Grant(grant_id, Decimal(amount), start, ends, **more)  # type: ignore[arg-type]


def costs(**amounts: str) -> dict[date, Decimal]:
    return {date(2026, 1, int(day[1:])): Decimal(amount) for day, amount in amounts.items()}


def test_the_grant_that_expires_first_pays_first() -> None:
    payments = pay(costs(d2="10"), [grant(1, "100"), grant(2, "4", end_day=20), grant(3, "100", end_day=25)])
    assert payments == (
        Payment(date(2026, 1, 2), 2, Decimal(4)),
        Payment(date(2026, 1, 2), 3, Decimal(6)),
    )


def test_priority_decides_between_grants_that_expire_together() -> None:
    payments = pay(costs(d2="10"), [grant(1, "4", end_day=20, priority=60), grant(2, "4", end_day=20, priority=10)])
    assert [payment.grant_id for payment in payments] == [2, 1]


def test_a_grant_pays_only_the_days_that_lie_wholly_in_its_life_time() -> None:
    noon_to_noon = Grant(1, Decimal(100), JANUARY + timedelta(hours=12), JANUARY + timedelta(days=2, hours=12))
    payments = pay(costs(d1="1", d2="1", d3="1"), [noon_to_noon])
    assert [payment.day.day for payment in payments] == [2]


def test_the_end_is_exclusive() -> None:
    payments = pay(costs(d1="1", d2="1", d3="1"), [grant(1, "9", start_day=1, end_day=3)])
    assert [payment.day.day for payment in payments] == [1, 2]


def test_a_voided_grant_keeps_what_it_paid_and_pays_no_more() -> None:
    voided = grant(1, "9", voided_at=datetime(2026, 1, 3, tzinfo=UTC))
    assert used_by(pay(costs(d1="1", d2="1", d3="1"), [voided])) == {1: Decimal(2)}


def test_a_grant_voided_before_it_began_pays_nothing() -> None:
    assert pay(costs(d5="1"), [grant(1, "9", start_day=4, voided_at=datetime(2026, 1, 2, tzinfo=UTC))]) == ()


def test_a_negative_day_refills_no_grant() -> None:
    payments = pay(costs(d1="5", d2="-3", d3="5"), [grant(1, "6")])
    assert used_by(payments) == {1: Decimal(6)}


def test_amounts_below_a_cent_are_exact() -> None:
    tiny = Decimal("0.003675099999")
    assert used_by(pay({date(2026, 1, 1): tiny}, [grant(1, "1")])) == {1: tiny}


def test_states_in_their_order() -> None:
    now = datetime(2026, 1, 15, tzinfo=UTC)
    assert state_of(grant(1, "5"), Decimal(0), now) == GrantState.AVAILABLE
    assert state_of(grant(1, "5"), Decimal(5), now) == GrantState.USED_UP
    assert state_of(grant(1, "5", end_day=15), Decimal(1), now) == GrantState.EXPIRED
    assert state_of(grant(1, "5", start_day=16), Decimal(0), now) == GrantState.UPCOMING
    assert state_of(grant(1, "5", voided_at=JANUARY), Decimal(5), now) == GrantState.VOIDED


grants = st.lists(
    st.builds(
        lambda amount, start, length, priority: (Decimal(amount), start, length, priority),
        st.integers(1, 50),
        st.integers(0, 25),
        st.none() | st.integers(1, 20),
        st.integers(0, 3),
    ),
    max_size=6,
)


@given(amounts=st.lists(st.integers(-20, 40), max_size=28), drawn=grants)
def test_no_grant_and_no_day_is_paid_twice(
    amounts: list[int], drawn: list[tuple[Decimal, int, int | None, int]]
) -> None:
    daily = {date(2026, 1, 1) + timedelta(days=n): Decimal(amount) for n, amount in enumerate(amounts)}
    made = [
        Grant(
            id=n,
            amount=amount,
            effective_at=JANUARY + timedelta(days=start),
            expires_at=None if length is None else JANUARY + timedelta(days=start + length),
            priority=priority,
        )
        for n, (amount, start, length, priority) in enumerate(drawn)
    ]
    payments = pay(daily, made)
    assert all(payment.amount > 0 for payment in payments)
    for one in made:
        assert used_by(payments).get(one.id, 0) <= one.amount
    for day, cost in daily.items():
        paid = sum(payment.amount for payment in payments if payment.day == day)
        live = [one for one in made if one.covers(day)]
        left = sum(one.amount - sum(p.amount for p in payments if p.grant_id == one.id) for one in live)
        assert paid <= max(cost, Decimal(0))
        assert paid == max(cost, Decimal(0)) or left == 0
