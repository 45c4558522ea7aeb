"""Signed webhooks as https://www.standardwebhooks.com describes them (specification 1.0.0, symmetric signatures)."""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import secrets
import socket
import ssl
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
TIMEOUT_SECONDS: Final = 10
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class WebhookError(Exception):
    """A webhook that was not taken; the message says why."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: HMAC-SHA256 over `id.timestamp.body` with the key that the secret holds."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def post(url: str, secret: str, *, message_id: str, timestamp: int, body: bytes) -> None:
    """POST a signed message. Raises WebhookError unless the answer is 2xx; redirects are not followed."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "usage-dashboard",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message_id=message_id, timestamp=timestamp, body=body),
    }
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        status = _request(_connect(url), path, body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise WebhookError(f"{type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        raise WebhookError(f"The endpoint answered {status}.")


def require_allowed(url: str) -> None:
    """Raises WebhookError for an address that is not plain http(s), or leads into the operator's own network."""
    _resolve(url)


def _request(connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]) -> int:
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _connect(url: str) -> http.client.HTTPConnection:
    """A connection to the very address that was checked: a name that resolves otherwise the next time leads nowhere else."""
    parts, address = _resolve(url)
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    plain = socket.create_connection((address, port), TIMEOUT_SECONDS)
    host = parts.hostname or ""
    if parts.scheme == "http":
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        connection.sock = plain
    else:
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS)
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    return connection


def _resolve(url: str) -> tuple[SplitResult, str]:
    """The parts of the URL and the IP address of its host."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username or parts.password:
        raise WebhookError("A webhook's address begins with https:// or http:// and has no password in it.")
    try:
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError) as error:
        raise WebhookError(f"There is no {parts.hostname}.") from error
    address = str(found[0][4][0])
    if not settings.WEBHOOK_PRIVATE_ADDRESSES and not ipaddress.ip_address(address).is_global:
        raise WebhookError(f"{parts.hostname} is not a public address.")
    return parts, address
