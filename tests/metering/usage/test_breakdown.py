"""A quantity by its parts: parts and rest add up to the total in every bar, and nothing leaves the bars."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from metering.usage.breakdown import Number, break_down
from metering.usage.groupings import MODEL
from metering.usage.queries import SHOWN_PARTS, Slot

BARS: tuple[Slot, ...] = tuple(date(2026, 10, 1) + timedelta(days=n) for n in range(5))
AMOUNTS = st.lists(
    st.tuples(
        st.sampled_from(BARS),
        st.one_of(st.none(), st.integers(min_value=1, max_value=12)),
        st.integers(min_value=-1_000, max_value=10**30),
    ),
    max_size=60,
)


@given(amounts=AMOUNTS)
def test_parts_and_rest_add_up_to_the_total_in_every_bar(amounts: list[tuple[Slot, int | None, Number]]) -> None:
    found = break_down(MODEL, BARS, amounts, num_parts=len({part for _, part, _ in amounts if part}))
    by_bar = [sum(amount for slot, _, amount in amounts if slot == bar) for bar in BARS]
    drawn = [sum(part.values[n] for part in found.stacked) for n in range(len(BARS))]
    assert drawn == by_bar
    assert found.total == sum(by_bar)
    assert all(part.total == sum(part.values) for part in found.stacked)


@given(amounts=AMOUNTS)
def test_the_largest_parts_have_bars_of_their_own_in_order(amounts: list[tuple[Slot, int | None, Number]]) -> None:
    found = break_down(MODEL, BARS, amounts, num_parts=12)
    totals = [part.total for part in found.parts]
    assert totals == sorted(totals, reverse=True)
    assert len(found.parts) <= SHOWN_PARTS
    assert all(any(part.values) for part in found.stacked)


def test_a_part_whose_bars_add_up_to_nothing_keeps_them() -> None:
    found = break_down(MODEL, BARS, [(BARS[0], 1, 5), (BARS[1], 1, -5)], num_parts=0)
    (part,) = found.parts
    assert part.values == (5, -5, 0, 0, 0)
    assert (found.rest, found.num_parts, found.total) == (None, 1, 0)


def test_bars_of_others_alone_are_the_rest() -> None:
    found = break_down(MODEL, BARS, [(BARS[2], None, Decimal("0.1")), (BARS[2], 1, Decimal("0.2"))], num_parts=9)
    assert found.rest is not None
    assert found.rest.values == (0, 0, Decimal("0.1"), 0, 0)
    assert found.num_others == 8


def test_more_parts_than_colours_are_the_rest() -> None:
    amounts = [(BARS[0], part, part) for part in range(1, SHOWN_PARTS + 4)]
    found = break_down(MODEL, BARS, amounts, num_parts=len(amounts))
    assert [part.id for part in found.parts] == list(range(SHOWN_PARTS + 3, 3, -1))
    assert found.rest is not None
    assert found.rest.total == 1 + 2 + 3
    assert found.num_others == 3


def test_equal_parts_stand_in_the_order_of_their_ids() -> None:
    found = break_down(MODEL, BARS, [(BARS[0], part, 7) for part in (3, 1, 2)], num_parts=3)
    assert [part.id for part in found.parts] == [1, 2, 3]


def test_nothing_is_nothing() -> None:
    found = break_down(MODEL, BARS, [], num_parts=0)
    assert (found.parts, found.rest, found.total) == ((), None, 0)


def test_cumulative_bars_hold_all_before_them_and_the_totals_stay() -> None:
    amounts = [(BARS[0], 1, Decimal("1.5")), (BARS[2], 1, Decimal(2)), (BARS[1], None, Decimal(-1))]
    single = break_down(MODEL, BARS, amounts, num_parts=2)
    running = single.cumulative()
    assert running.parts[0].values == (Decimal("1.5"), Decimal("1.5"), Decimal("3.5"), Decimal("3.5"), Decimal("3.5"))
    assert running.rest is not None
    assert running.rest.values == (0, -1, -1, -1, -1)
    assert running.total == single.total
