"""Ids that people and programs see: what they say, and that nobody guesses one."""

import re
from collections.abc import Callable

import pytest

from accounts import public_ids

MAKERS = {
    "org_": public_ids.organization_id,
    "invite_": public_ids.invitation_id,
    "user_": public_ids.user_id,
    "key_": public_ids.api_key_id,
    "adminkey_": public_ids.admin_key_id,
}


@pytest.mark.parametrize(("prefix", "make"), MAKERS.items(), ids=list(MAKERS))
def test_an_id_names_its_kind_and_has_96_random_bits(prefix: str, make: Callable[[], str]) -> None:
    found = {make() for _ in range(1000)}
    assert len(found) == 1000
    assert all(re.fullmatch(f"{prefix}[0-9A-Za-z]{{17}}", one) for one in found)
    assert len(public_ids.ALPHABET) ** 17 > 2**96


def test_every_letter_and_digit_comes_and_none_is_much_more_likely() -> None:
    text = public_ids.random_text(62 * 500)
    counts = {letter: text.count(letter) for letter in public_ids.ALPHABET}
    assert min(counts.values()) > 300
    assert max(counts.values()) < 700


def test_texts_for_addresses_have_no_capital_letters() -> None:
    assert re.fullmatch("[0-9a-z]{400}", public_ids.random_lower(400))


def test_a_text_has_the_length_that_is_asked_for() -> None:
    assert [len(public_ids.random_text(length)) for length in (0, 1, 40)] == [0, 1, 40]
