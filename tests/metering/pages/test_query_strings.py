"""Reading what anyone can type: bounded values, and one sentence for each that cannot be used."""

import pytest
from django.http import QueryDict

from metering.pages.query_strings import MAX_CHARACTERS, MAX_VALUES, Reader, shortened


def reader(text: str) -> Reader:
    return Reader(QueryDict(text))


def test_a_missing_value_is_nothing_and_not_said() -> None:
    asked = reader("")
    assert (asked.single("a"), asked.choice("a", ("x",)), asked.several("a", "A"), asked.text("a")) == ("", "", [], "")
    assert asked.number("a", lowest=0, highest=9) is None
    assert asked.ignored == []


def test_of_several_values_the_first_that_is_not_empty_counts() -> None:
    asked = reader("a=&a=1&a=2&a=3")
    assert asked.single("a") == "1"
    assert asked.ignored == ["“a” was given 3 times; only the first is used."]


def test_a_choice_is_one_of_those_allowed() -> None:
    asked = reader("rank=tokens&chart=pie")
    assert asked.choice("rank", ("requests", "tokens")) == "tokens"
    assert asked.choice("chart", ("day", "cumulative")) == ""
    assert asked.ignored == ["“chart=pie” was ignored; it can be day, cumulative."]


def test_values_of_a_filter_are_distinct_and_bounded() -> None:
    asked = reader("&".join(f"m={n % (MAX_VALUES + 5)}" for n in range(100)))
    assert asked.several("m", "Model") == [str(n) for n in range(MAX_VALUES)]
    assert asked.ignored == [f"Only the first {MAX_VALUES} values of “m” are used."]


@pytest.mark.parametrize("value", ["x" * (MAX_CHARACTERS + 1), "a%00b"])
def test_a_value_that_no_usage_can_have_is_said(value: str) -> None:
    asked = reader(f"m={value}")
    assert asked.several("m", "Model") == []
    assert len(asked.ignored) == 1


@pytest.mark.parametrize("text", ["10", "-1", "1.0", "٣", "1e1", "9999999999", "+3", " 3 4 "])
def test_what_is_no_number_in_the_range_is_said(text: str) -> None:
    asked = Reader(QueryDict(mutable=True))
    data = QueryDict(mutable=True)
    data["hour"] = text
    asked = Reader(data)
    assert asked.number("hour", lowest=0, highest=9) is None
    assert len(asked.ignored) == 1


def test_the_ends_of_the_range_belong_to_it() -> None:
    assert reader("hour=0").number("hour", lowest=0, highest=23) == 0
    assert reader("hour=23").number("hour", lowest=0, highest=23) == 23


def test_searched_text_is_cut_and_trimmed() -> None:
    assert reader("q=+bot+").text("q") == "bot"
    assert len(reader(f"q={'x' * 1000}").text("q")) == MAX_CHARACTERS
    asked = reader("q=a%00b")
    assert asked.text("q") == ""
    assert len(asked.ignored) == 1


def test_the_same_sentence_is_said_once() -> None:
    asked = reader("")
    asked.unknown("Model", "x")
    asked.unknown("Model", "x")
    assert asked.ignored == ["The filter “Model: x” was ignored; no such usage was found."]


def test_quoted_values_are_short_and_one_line() -> None:
    assert shortened("a\nb\x00c\u202e") == "a�b�c�"
    assert shortened("y" * 41) == "y" * 40 + "…"
