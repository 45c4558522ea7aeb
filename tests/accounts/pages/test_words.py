"""Numbers and nouns in a sentence."""

import pytest
from django.template import Context, Template

from accounts.pages.words import counted, plural, with_article


@pytest.mark.parametrize(
    ("noun", "number", "text"),
    [
        ("Model", 1, "model"),
        ("Model", 2, "models"),
        ("Model", 0, "models"),
        ("API key", 1, "API key"),
        ("API key", 2, "API keys"),
        ("Service tier", 3, "service tiers"),
        ("person", 1, "person"),
        ("person", 2, "people"),
        ("search", 2, "searches"),
    ],
)
def test_nouns_in_a_sentence_are_small_unless_they_are_an_acronym(noun: str, number: int, text: str) -> None:
    assert plural(noun, number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 requests"), (1, "1 request"), (-1, "−1 request"), (2, "2 requests"), (1873, "1,873 requests")],
)
def test_a_number_and_what_it_counts_agree(number: int, text: str) -> None:
    assert counted(number, "request") == text
    assert Template('{% load words %}{{ number|counted:"request" }}').render(Context({"number": number})) == text


@pytest.mark.parametrize(("noun", "text"), [("owner", "an owner"), ("admin", "an admin"), ("reader", "a reader")])
def test_a_role_has_the_article_that_it_sounds_like(noun: str, text: str) -> None:
    assert with_article(noun) == text
