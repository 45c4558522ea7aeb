"""One mailbox is one person, however its address is written."""

import pytest
from django.core.exceptions import ValidationError

from accounts.addresses import plain_address
from accounts.emails import LONGEST, normalized


@pytest.mark.parametrize(
    "written",
    ["anna@bücher.example", "ANNA@BÜCHER.example", " Anna@xn--bcher-kva.example ", "anna@bu\u0308cher.example"],
)
def test_the_ways_to_write_one_address_are_one(written: str) -> None:
    assert normalized(written) == "anna@xn--bcher-kva.example"


def test_an_address_that_is_written_once_stays_when_it_is_written_again() -> None:
    once = normalized("Jörg@Straße.example")
    assert normalized(once) == once


def test_sharp_s_is_no_double_s() -> None:
    assert normalized("a@straße.example") != normalized("a@strasse.example")


@pytest.mark.parametrize("domain", ["☃.example", "ü..example", "-ü.example", "ü" * 64 + ".example"])
def test_a_domain_that_cannot_be_is_refused_with_a_sentence(domain: str) -> None:
    with pytest.raises(ValidationError, match="not a valid domain"):
        normalized(f"a@{domain}")


def test_an_address_that_grows_too_long_in_ascii_is_refused() -> None:
    domain = f"{'.'.join(['ü' * 10] * 10)}.example"
    name = "a" * (LONGEST - len(domain) - 1)
    assert len(f"{name}@{domain}") == LONGEST
    with pytest.raises(ValidationError, match="254 characters"):
        normalized(f"{name}@{domain}")


@pytest.mark.parametrize("text", ["", "nobody", "@", "a@"])
def test_what_is_no_address_comes_back(text: str) -> None:
    assert normalized(text) == text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("192.0.2", None),
        ("192.0.2.01", None),
        ("unix:", None),
        ("", None),
    ],
)
def test_addresses_of_the_internet_are_kept_in_one_way(text: str, address: str | None) -> None:
    assert plain_address(text) == address
