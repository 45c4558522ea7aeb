"""Which addresses webhooks may go to: plain http(s) on the usual ports, to hosts on the public Internet.

What is refused is refused in the same words whether a name does not exist or leads inside, so that nobody learns the
names of the operator's network by asking.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

import idna
from django.conf import settings

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
LONGEST: Final = 500
HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?")
SAFE_IN_PATHS: Final = "/%:@!$&'()*+,;=~"
MAX_LOOK_UPS: Final = 32
"""Of one process at once; each is a thread that waits for a name server."""

UNICAST_IPV6: Final = ipaddress.IPv6Network("2000::/3")
NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocols' own
        "192.88.99.0/24",  # relays of 6to4
        "2001::/32",  # Teredo: an IPv4 address inside
        "2002::/16",  # 6to4: the same
        "3fff::/20",  # documentation
    )
)
NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::254/128")
)
"""Metadata services that are not link-local (Alibaba, Azure, Oracle, AWS): they hand out credentials to whoever asks."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_look_ups = BoundedSemaphore(MAX_LOOK_UPS)


class AddressRefusedError(Exception):
    """An address that no webhook is sent to; the message says why."""


@dataclass(frozen=True)
class Target:
    """An address taken apart, with every IP address of its host. All of them were checked."""

    scheme: str
    host: str
    port: int
    path: str
    ip_addresses: tuple[str, ...]


def normalized(url: str) -> str:
    """The address as it is stored: ASCII alone, its host as DNS knows it, its path encoded. Raises AddressRefusedError."""
    if any(character.isspace() or not character.isprintable() for character in url):
        raise AddressRefusedError("A URL cannot contain spaces or control characters.")
    parts = _split(url)
    host = _ascii_host(parts.hostname or "")
    port = "" if _port(parts) == DEFAULT_PORTS[parts.scheme] else f":{_port(parts)}"
    query = f"?{quote(parts.query, safe=f'{SAFE_IN_PATHS}?')}" if parts.query else ""
    address = f"{parts.scheme}://{host}{port}{quote(parts.path or '/', safe=SAFE_IN_PATHS)}{query}"
    if len(address) > LONGEST:
        raise AddressRefusedError(f"A URL can have at most {LONGEST} characters after encoding.")
    return address


def look_up(url: str) -> Target:
    """Where the address leads now. Raises AddressRefusedError unless all that its name resolves to may be written to."""
    parts = urlsplit(normalized(url))
    host, port = parts.hostname or "", _port(parts)
    found = _ip_addresses(host, port)
    if not found or not all(_is_allowed(ipaddress.ip_address(text)) for text in found):
        raise AddressRefusedError(f"{host} has no address on the public Internet.")
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Target(parts.scheme, host, port, path, found)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = _port(parts) if parts.scheme in DEFAULT_PORTS else 0
    except ValueError as error:
        raise AddressRefusedError("This is not a valid URL.") from error
    if not port or not parts.hostname or "@" in parts.netloc:
        raise AddressRefusedError("A webhook URL must begin with https:// or http:// and contain no password.")
    allowed = {*DEFAULT_PORTS.values(), *settings.WEBHOOK_EXTRA_PORTS}
    if port not in allowed:
        raise AddressRefusedError(f"Webhooks can only be sent to ports {', '.join(map(str, sorted(allowed)))}.")
    return parts


def _port(parts: SplitResult) -> int:
    return DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port


def _ascii_host(host: str) -> str:
    """The host as DNS knows it; an IPv6 address in brackets."""
    try:
        if ":" in host and "%" not in host:
            return f"[{ipaddress.IPv6Address(host)}]"
        ascii_host = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except ValueError as error:  # idna's errors are among them
        raise AddressRefusedError("This is not a valid host name.") from error
    if not HOST.fullmatch(ascii_host):
        raise AddressRefusedError("This is not a valid host name.")
    return ascii_host


def _ip_addresses(host: str, port: int) -> tuple[str, ...]:
    """All that the name resolves to; nothing if there is no such name, or no answer in time.

    In a thread, because looking up has no time limit of its own, and the owner of the name chooses how slow it is.
    """
    seconds = settings.WEBHOOK_LOOK_UP_TIMEOUT_SECONDS
    answers: SimpleQueue[tuple[str, ...]] = SimpleQueue()
    if not _look_ups.acquire(timeout=seconds):
        return ()
    Thread(target=_ask, args=(host, port, answers), daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except Empty:
        return ()


def _ask(host: str, port: int, answers: "SimpleQueue[tuple[str, ...]]") -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answers.put(tuple(str(address[0]) for *_, address in found))
    except (OSError, ValueError):
        answers.put(())
    finally:
        _look_ups.release()


def _is_allowed(address: Address) -> bool:
    inner = getattr(address, "ipv4_mapped", None) or address
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified or _is_in(inner, NEVER):
        return False
    return settings.WEBHOOK_PRIVATE_ADDRESSES or _is_public(address)


def _is_public(address: Address) -> bool:
    """Whether it is a host on the Internet itself: not one behind another (NAT64, IPv4 inside IPv6), or inside a network."""
    if address.version == 6 and address not in UNICAST_IPV6:
        return False
    return address.is_global and not _is_in(address, NOT_PUBLIC)


def _is_in(address: Address, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
