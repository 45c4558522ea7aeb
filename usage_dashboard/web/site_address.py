"""SITE_ADDRESS, the one setting that a domain needs: what else follows from it, and which part of a path is the proxy's."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
HOST: Final = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")
SUB_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
YEAR_SECONDS: Final = 31_536_000
FOR_PROGRAMS: Final = ("healthz$", "readyz$", "metrics$", "v1/")
"""Addresses that are answered over plain HTTP, too, because programs are not sent elsewhere."""


@dataclass(frozen=True)
class SiteAddress:
    """Where people reach this installation: `https://usage.example.com`, or under a path, `https://example.com/usage`.

    `path` is empty, or begins with a slash and does not end with one.
    """

    origin: str
    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"

    @property
    def is_https(self) -> bool:
        return self.origin.startswith("https:")

    @property
    def hosts(self) -> list[str]:
        """Its own name, and those of the machine itself, which many a proxy sends instead."""
        return list(dict.fromkeys((self.host, *LOCAL_HOSTS)))

    @property
    def static_url(self) -> str:
        return f"{self.path}/static/"

    @property
    def cookie_path(self) -> str:
        return self.path or "/"

    def cookie_prefix(self, *, https: bool) -> str:
        """Names of our own, because cookies of one host reach every port of it.

        Over HTTPS alone browsers take `__Host-` from this host, for all of it, and `__Secure-`, which may be of a path.
        """
        guard = "" if not https else "__Secure-" if self.path else "__Host-"
        return f"{guard}usage-dashboard"

    def hsts_seconds(self, *, https: bool) -> int:
        """None under a path: the promise is for the whole host, and that is somebody else's."""
        return YEAR_SECONDS if https and not self.path else 0

    def redirect_exempt(self) -> list[str]:
        """Patterns of the paths for programs, without the slash at their beginning."""
        prefix = re.escape(f"{self.path}/".lstrip("/"))
        return [f"^{prefix}{name}" for name in FOR_PROGRAMS]


def parse(url: str) -> SiteAddress:
    """Raises ValueError with the rest of a sentence that begins with the setting's name."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"is “{url}”: it begins with https:// or http://, as in https://usage.example.com.")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be an address alone, as in https://usage.example.com: without a name, ? and #.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if not HOST.fullmatch(host):
        raise ValueError(f"has the host “{host}”: one name, in ASCII (names in other letters as xn--…), without *.")
    path = parts.path.rstrip("/")
    if not SUB_PATH.fullmatch(path):
        raise ValueError(f"has the path “{path}”: it takes letters, digits and - . _ ~ between single slashes.")
    return SiteAddress(f"{parts.scheme}://{parts.netloc.lower()}", host, path)


def under(path: str, site_path: str, forwarded_prefix: str = "") -> str:
    """The path within the site, of a path as it came.

    A proxy passes paths on as they are, or takes the site's path off and says so in `X-Forwarded-Prefix`. What has it neither way
    comes from inside: a monitor, a gateway beside web.
    """
    is_whole = forwarded_prefix.rstrip("/") != site_path
    if is_whole and (path == site_path or path.startswith(f"{site_path}/")):
        return path[len(site_path) :] or "/"
    return path
