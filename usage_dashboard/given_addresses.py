"""Addresses, names and tokens among the settings, as an operator writes them → as Django, Celery and the programs want them.

Each raises ValueError with the rest of a sentence that begins with the setting's name. No sentence repeats an address that
may hold a password.
"""

import contextlib
import re
import ssl
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

LEAST_TOKEN: Final = 16
Network = IPv4Network | IPv6Network
POSTGRESQL_SCHEMES: Final = ("postgres", "postgresql", "psql", "pgsql")
REDIS_SCHEMES: Final = ("redis", "rediss", "redis+socket")
HOST: Final = re.compile(r"\*|\.?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ESCAPED: Final = "with what is special in the password as %40 for @, %23 for # and so on"


def directory(path: str) -> Path:
    """A directory; `~` is somebody's home."""
    try:
        return Path(path).expanduser().resolve()
    except RuntimeError:
        raise ValueError(f"is “{path}”: there is no such home.") from None


def database(url: str) -> dict[str, Any]:
    """Django's settings of a PostgreSQL."""
    config: dict[str, Any] = {}
    if url.partition("://")[0] in POSTGRESQL_SCHEMES:
        with contextlib.suppress(ValueError):
            config = environ.Env.db_url_config(url)
    if not config.get("NAME"):
        raise ValueError(f"must be postgres://user:password@host:5432/name, {ESCAPED}.")
    return config


def redis(url: str) -> str:
    """The address of a Redis-compatible server, where nothing says that certificates are not to be checked."""
    address = _split(url)
    if address is None or address.scheme not in REDIS_SCHEMES or not (address.hostname or address.path):
        raise ValueError(f"must be redis://host:6379/0, or rediss:// with TLS, {ESCAPED}.")
    if "ssl_" in address.query:
        raise ValueError(
            "has a part that begins with ssl_: certificates are always checked; REDIS_CA_FILE names your own CA."
        )
    return url


def redis_tls(url: str, ca_file: str) -> dict[str, Any]:
    """How clients of that server check its certificate: none where there is no TLS."""
    if not url.startswith("rediss:"):
        return {}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": ca_file or None}


def certificates(path: str) -> str:
    """The path of a file with the certificates of private authorities."""
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise ValueError(f"is “{path}”: there are no certificates in PEM in that file.") from None
    except OSError as error:
        raise ValueError(f"is “{path}”: that file cannot be read ({error.strerror}).") from None
    return str(Path(path).resolve())


def email(url: str) -> dict[str, Any]:
    """Django's settings of a way to send email."""
    try:
        config: dict[str, Any] = environ.Env.email_url_config(url)
    except (ValueError, ImproperlyConfigured):
        config = {}
    if not config or (url.startswith("smtp") and not config["EMAIL_HOST"]):
        raise ValueError(f"must be smtp+tls://user:password@host:587, or consolemail://, {ESCAPED}.")
    return config


def sender(value: str) -> str:
    """An email address, with or without a name."""
    if "@" not in parseaddr(value)[1]:
        raise ValueError(f"is “{value}”: it must be an email address, as in Usage <usage@example.com>.")
    return value


def site(url: str) -> str:
    """The address of a site, without a slash at its end."""
    _origin(url)
    return url.rstrip("/")


def origins(value: str) -> list[str]:
    """Scheme and host of each address."""
    return [_origin(address) for address in _listed(value)]


def hosts(value: str) -> list[str]:
    """Names of hosts, as `ALLOWED_HOSTS` has them."""
    for name in _listed(value):
        if not HOST.fullmatch(name):
            raise ValueError(f"has “{name}”: names alone, as in usage.example.com, without https://, port and path.")
    return _listed(value)


def ports(value: str) -> list[int]:
    """Numbers of ports."""
    for port in _listed(value):
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError(f"has “{port}”: it takes numbers of ports, separated by commas.")
    return [int(port) for port in _listed(value)]


def networks(value: str) -> list[Network]:
    """Addresses, and ranges of them."""
    found = []
    for each in _listed(value):
        try:
            found.append(ip_network(each))
        except ValueError:
            raise ValueError(f"has “{each}”: it takes addresses and ranges, as in 10.0.0.7, 10.1.0.0/16.") from None
    return found


def token(value: str) -> str:
    """A secret of programs, of letters and signs that every client can send."""
    if len(value) < LEAST_TOKEN or not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError(f"must be {LEAST_TOKEN} characters or more: letters, digits and signs, without spaces.")
    return value


def log_level(value: str) -> str:
    """A level of `logging`."""
    if value.upper() not in LEVELS:
        raise ValueError(f"is “{value}”: it must be one of {', '.join(LEVELS)}.")
    return value.upper()


def _origin(url: str) -> str:
    address = _split(url)
    if address is None or address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(f"has “{url}”: an address begins with https:// or http://, as in https://usage.example.com.")
    return f"{address.scheme}://{address.netloc}"


def _split(url: str) -> SplitResult | None:
    try:
        address = urlsplit(url)
        _ = address.port
    except ValueError:
        return None
    return address


def _listed(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]
