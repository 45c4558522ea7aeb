"""Numbers and days as people read them."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.display import (
    SUFFIXES,
    axis,
    byte_axis,
    byte_size,
    change,
    compact,
    duration,
    duration_axis,
    duration_base,
    exact,
    long_day,
    share,
    short_day,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-1_234, "−1,234"), (2**63, f"{2**63:,}")],
)
def test_exact_numbers_have_separators_and_a_real_minus(number: int, text: str) -> None:
    assert exact(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.00k"),
        (12_345, "12.3k"),
        (123_456, "123k"),
        (999_499, "999k"),
        (999_999, "999k"),
        (1_000_000, "1.00M"),
        (1_234_567, "1.23M"),
        (-1_234_567, "−1.23M"),
        (5 * 10**9, "5.00B"),
        (7 * 10**12, "7.00T"),
        (10**15, "1.00Q"),
        (10**18, "1,000Q"),
    ],
)
def test_compact_numbers_have_three_digits(number: int, text: str) -> None:
    assert compact(number) == text


@given(number=st.integers(min_value=1, max_value=10**17))
def test_a_compact_number_is_never_rounded_into_the_next_suffix_and_is_near(number: int) -> None:
    text = compact(number)
    suffix = text.lstrip("0123456789.,")
    size = {letter: size for size, letter in SUFFIXES}.get(suffix, 1)
    value = Decimal(text.removesuffix(suffix).replace(",", ""))
    assert value < 1_000 or size == 10**15
    assert abs(value * size - number) <= Decimal(number) / 100


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (75_000, "75k"), (1_500_000, "1.5M"), (100, "100"), (1_230, "1.23k")]
)
def test_axis_numbers_have_no_needless_zeros(number: int, text: str) -> None:
    assert axis(number) == text


@pytest.mark.parametrize(
    ("seconds", "base", "on_axis", "in_words"),
    [
        (0, 1, "0", "0 seconds"),
        (20, 1, "20 s", "20 seconds"),
        (59, 1, "59 s", "59 seconds"),
        (60, 60, "1 min", "1.0 minutes"),
        (600, 60, "10 min", "10.0 minutes"),
        (5_400, 3_600, "1.5 h", "1.5 hours"),
        (121_000, 3_600, "33.6 h", "33.6 hours"),
        (-7_200, 3_600, "−2 h", "−2.0 hours"),
    ],
)
def test_durations_are_told_in_the_largest_unit_that_they_reach(
    seconds: int, base: int, on_axis: str, in_words: str
) -> None:
    assert duration_base(seconds) == base
    assert duration_axis(seconds) == on_axis
    assert duration(seconds) == in_words


@pytest.mark.parametrize(
    ("number", "text", "on_axis"),
    [
        (0, "0 B", "0"),
        (999, "999 B", "999 B"),
        (1_500_000, "1.50 MB", "1.5 MB"),
        (2 * 10**12, "2.00 TB", "2 TB"),
        (-(10**9), "−1.00 GB", "−1 GB"),
    ],
)
def test_bytes_are_told_in_decimal_units(number: int, text: str, on_axis: str) -> None:
    assert byte_size(number) == text
    assert byte_axis(number) == on_axis


def test_a_share_of_nothing_is_a_dash() -> None:
    assert share(Decimal(1), Decimal(0)) == "–"
    assert share(1, 8).startswith("12.5")
    assert share(Decimal("-0.5"), Decimal(1)).startswith("−50.0")


@pytest.mark.parametrize(
    ("number", "compared", "begins"),
    [(108, 100, "+8.0"), (92, 100, "−8.0"), (100, 100, "+0.0"), (250_000, 100, "+249,900.0"), (5, 0, ""), (5, -3, "")],
)
def test_a_change_is_told_against_something_above_zero_alone(number: int, compared: int, begins: str) -> None:
    told = change(number, compared)
    assert told.startswith(begins)
    assert bool(told) == bool(begins)


def test_days_have_no_leading_zero() -> None:
    assert short_day(date(2026, 11, 4)) == "Nov 4"
    assert long_day(date(2026, 11, 14)) == "Nov 14, 2026"
