"""Where webhooks may go: to the public Internet, on the usual ports, under addresses that can be sent as they are stored."""

import socket
from collections.abc import Callable, Iterable
from threading import Event
from typing import Any

import pytest
from pytest_django import Settings

from billing.notices.webhook_addresses import AddressRefusedError, look_up, normalized

PUBLIC = "93.184.215.14"
Resolve = Callable[[Iterable[str]], None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Every name leads to these addresses; tests ask no name server."""

    def to(addresses: Iterable[str]) -> None:
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]

        def answer(*_asked: Any, **_hints: Any) -> list[Any]:
            return answers

        monkeypatch.setattr(socket, "getaddrinfo", answer)

    return to


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "0.0.0.0",  # noqa: S104 - refused
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "169.254.169.254",
        "192.0.0.192",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        f"::{PUBLIC}",
        "::ffff:127.0.0.1",
        f"::ffff:{PUBLIC}",
        "64:ff9b::7f00:1",
        "64:ff9b::5db8:d70e",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_hosts_of_the_public_internet_are_refused(resolve: Resolve, address: str) -> None:
    resolve([address])
    with pytest.raises(AddressRefusedError):
        look_up("https://hooks.example.com/")
    resolve([PUBLIC, address])
    with pytest.raises(AddressRefusedError):
        look_up("https://hooks.example.com/")


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"])
def test_metadata_of_clouds_is_refused_even_inside_ones_own_network(
    resolve: Resolve, settings: Settings, address: str
) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    resolve([address])
    with pytest.raises(AddressRefusedError):
        look_up("http://metadata.example.com/")
    resolve(["10.0.0.1"])
    assert look_up("http://metadata.example.com/").ip_addresses == ("10.0.0.1",)


def test_public_hosts_are_told_at_the_very_addresses_that_were_checked(resolve: Resolve) -> None:
    resolve([PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
    target = look_up("https://hooks.example.com/a?b=c")
    assert (target.scheme, target.host, target.port, target.path) == ("https", "hooks.example.com", 443, "/a?b=c")
    assert target.ip_addresses == (PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c")


def test_a_refusal_does_not_tell_whether_an_inner_name_exists(resolve: Resolve) -> None:
    sentences = set()
    for addresses in (["10.1.2.3"], ["127.0.0.1"], []):
        resolve(addresses)
        with pytest.raises(AddressRefusedError) as refused:
            look_up("https://wiki.corp/")
        sentences.add(str(refused.value))
    assert sentences == {"wiki.corp has no address on the public Internet."}


def test_a_name_server_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WEBHOOK_LOOK_UP_TIMEOUT_SECONDS = 0.05
    release = Event()

    def stall(*_asked: Any, **_hints: Any) -> list[Any]:
        release.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stall)
    with pytest.raises(AddressRefusedError):
        look_up("https://slow.example.com/")
    release.set()


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("https://example.com", "https://example.com/"),
        ("https://EXAMPLE.com:443/a%20b", "https://example.com/a%20b"),
        ("https://münchen.example/grüße?q=ü#part", "https://xn--mnchen-3ya.example/gr%C3%BC%C3%9Fe?q=%C3%BC"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("http://example.com:80/?a=b&c=d/e", "http://example.com/?a=b&c=d/e"),
        ("https://[2606:2800:21F::1]/", "https://[2606:2800:21f::1]/"),
        ('https://example.com/"\\|^', "https://example.com/%22%5C%7C%5E"),
    ],
)
def test_addresses_are_stored_as_they_can_be_sent(given: str, stored: str) -> None:
    assert normalized(given) == stored
    assert normalized(stored) == stored
    assert stored.isascii()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user:secret@example.com/",
        "https://@example.com/",
        "http:///",
        "//example.com/",
        "",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com:6379/",
        "https://example.com:x/",
        "https://[broken/",
        "https://[fe80::1%25eth0]/",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/a\nb",
        "https://example.com/\x00",
        "https://example.com/\u200b",
        "https://example.com/\ud800",
        "https://-example.com/",
        "https://☃\u0338.example/",
        f"https://example.com/{'ü' * 100}",
    ],
)
def test_addresses_that_cannot_be_sent_are_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(AddressRefusedError) as refused:
        normalized(url)
    assert str(refused.value).endswith(".")


def test_more_ports_are_a_setting(settings: Settings) -> None:
    settings.WEBHOOK_EXTRA_PORTS = [8443]
    assert normalized("https://example.com:8443/") == "https://example.com:8443/"
