"""Whether a secret is anybody's, before anything else is done for it.

A secret that this process does not remember costs one query. Whoever sends many that are nobody's is not looked up any more
for a while, by the address that they come from. Secrets that this process has seen to be somebody's are looked up always, so
that those who share an address with a stranger, or with a gateway that was set up wrongly, go on as before.
"""

import threading
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any, Final

from django.conf import settings
from django.db.models import Q, Value
from django.http import HttpRequest

from accounts.audit.audit import client_address
from apikeys import directory
from apikeys.allowances import Allowances
from apikeys.models import AdminKey, APIKey, IngestToken, OperatorToken, ScimToken

MAX_SECRETS: Final = 200_000
NETWORK_OF_ONE: Final = 64
"""Bits of an IPv6 address that its holder does not choose."""


class TooManyUnknownSecretsError(Exception):
    """From this address came so many secrets of nobody that no more are looked up now."""


class Strangers:
    """What this process remembers of secrets and of addresses; both are bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[bytes] = set()
        self._allowances: Allowances[str] = Allowances()

    def forget(self) -> None:
        with self._lock:
            self._seen.clear()
        self._allowances.forget()

    def is_somebodys(self, digest: bytes, environ: Mapping[str, Any]) -> bool:
        """Whether the secret with this SHA-256 digest is a key's or token's of any kind, perhaps an ended one. One query.

        Raises TooManyUnknownSecretsError.
        """
        if digest in directory.remembered().callers:
            return True
        address, most = _network(environ), settings.UNKNOWN_SECRETS_PER_MINUTE
        if digest not in self._seen and self._allowances.seconds_to_wait(address, most=most):
            raise TooManyUnknownSecretsError
        is_somebodys = _is_stored(digest)
        if not is_somebodys:
            self._allowances.take(address, 1, most=most)
        with self._lock:
            if not is_somebodys:
                self._seen.discard(digest)
                return False
            if len(self._seen) >= MAX_SECRETS:
                self._seen.clear()
            self._seen.add(digest)
        return True


strangers: Final = Strangers()


def _is_stored(digest: bytes) -> bool:
    keys = APIKey.objects.filter(Q(digest=digest) | Q(previous_digest=digest)).values_list(Value(1))
    tokens = IngestToken.objects.filter(digest=digest).values_list(Value(1))
    admin_keys = AdminKey.objects.filter(digest=digest).values_list(Value(1))
    operator_tokens = OperatorToken.objects.filter(digest=digest).values_list(Value(1))
    scim_tokens = ScimToken.objects.filter(digest=digest).values_list(Value(1))
    return bool(list(tokens.union(keys, admin_keys, operator_tokens, scim_tokens, all=True)[:1]))


def _network(environ: Mapping[str, Any]) -> str:
    """The address that a request comes from (TRUSTED_PROXY_COUNT); of IPv6, the network that one holder has."""
    request = HttpRequest()
    request.META = dict(environ)
    address = client_address(request)
    if address is None or ip_address(address).version == 4:
        return address or ""
    return str(ip_network((address, NETWORK_OF_ONE), strict=False))
