"""Addresses of the Internet: as PostgreSQL keeps them, and as those are shown that are somebody's secret."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

HIDDEN: Final = "…"
"""What stands for the rest of an address."""
SHOWN_CHARACTERS: Final = 3


def plain_address(text: str) -> str | None:
    """'fe80::1%eth0' → 'fe80::1': without the name of the interface, which means something on one machine alone. None for
    what is no address."""
    try:
        return str(ip_address(text.strip().partition("%")[0]))
    except ValueError:
        return None


def shortened(url: str) -> str:
    """'https://example.com/…q9Z': the host and the last characters, enough to tell two apart, as of secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}/{HIDDEN}{url[-SHOWN_CHARACTERS:]}"
