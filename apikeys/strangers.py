"""Whether a secret is anybody's, before anything else is done for it.

A secret that this process does not remember costs one query. Whoever sends many that are nobody's is not looked up any more
for a while, by the address that they come from. Secrets that this process has seen to be somebody's are looked up always, so
that those who share an address with a stranger, or with a gateway that was set up wrongly, go on as before.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from time import monotonic
from typing import Any, Final

from django.conf import settings
from django.db.models import Q, Value
from django.http import HttpRequest

from accounts.audit.audit import client_address
from apikeys import directory
from apikeys.models import APIKey, IngestToken

MAX_ADDRESSES: Final = 10_000
MAX_SECRETS: Final = 200_000
NETWORK_OF_ONE: Final = 64
"""Bits of an IPv6 address that its holder does not choose."""


class TooManyUnknownSecretsError(Exception):
    """From this address came so many secrets of nobody that no more are looked up now."""


@dataclass(slots=True)
class Allowance:
    """How many secrets of nobody may still come from an address, as of a moment of the monotonic clock; it grows with time."""

    left: float
    at: float


class Strangers:
    """What this process remembers of secrets and of addresses; both are bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[bytes] = set()
        self._allowances: OrderedDict[str, Allowance] = OrderedDict()

    def forget(self) -> None:
        with self._lock:
            self._seen.clear()
            self._allowances.clear()

    def is_somebodys(self, digest: bytes, environ: Mapping[str, Any]) -> bool:
        """Whether the secret with this SHA-256 digest is a key's or a token's, perhaps one that has ended. One query at most.

        Raises TooManyUnknownSecretsError.
        """
        if digest in directory.remembered().callers:
            return True
        address = _network(environ)
        if digest not in self._seen and not self._may_ask(address):
            raise TooManyUnknownSecretsError
        is_somebodys = _is_stored(digest)
        with self._lock:
            if is_somebodys:
                if len(self._seen) >= MAX_SECRETS:
                    self._seen.clear()
                self._seen.add(digest)
            else:
                self._seen.discard(digest)
                self._allowance(address).left -= 1
        return is_somebodys

    def _may_ask(self, address: str) -> bool:
        if not settings.UNKNOWN_SECRETS_PER_MINUTE:
            return True
        with self._lock:
            return address not in self._allowances or self._allowance(address).left >= 1

    def _allowance(self, address: str) -> Allowance:
        """As of now. Under the lock. Of too many addresses, the one that was quiet for longest is forgotten."""
        now, most = monotonic(), float(settings.UNKNOWN_SECRETS_PER_MINUTE)
        allowance = self._allowances.setdefault(address, Allowance(most, now))
        allowance.left = min(most, allowance.left + (now - allowance.at) * most / 60)
        allowance.at = now
        self._allowances.move_to_end(address)
        if len(self._allowances) > MAX_ADDRESSES:
            self._allowances.popitem(last=False)
        return allowance


strangers: Final = Strangers()


def _is_stored(digest: bytes) -> bool:
    keys = APIKey.objects.filter(Q(digest=digest) | Q(previous_digest=digest)).values_list(Value(1))
    tokens = IngestToken.objects.filter(digest=digest).values_list(Value(1))
    return bool(list(tokens.union(keys, all=True)[:1]))


def _network(environ: Mapping[str, Any]) -> str:
    """The address that a request comes from (TRUSTED_PROXY_COUNT); of IPv6, the network that one holder has."""
    request = HttpRequest()
    request.META = dict(environ)
    address = client_address(request)
    if address is None or ip_address(address).version == 4:
        return address or ""
    return str(ip_network((address, NETWORK_OF_ONE), strict=False))
