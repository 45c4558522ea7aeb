"""Addresses of the Internet as PostgreSQL keeps them."""

from ipaddress import ip_address


def plain_address(text: str) -> str | None:
    """'fe80::1%eth0' → 'fe80::1': without the name of the interface, which means something on one machine alone. None for
    what is no address."""
    try:
        return str(ip_address(text.strip().partition("%")[0]))
    except ValueError:
        return None
