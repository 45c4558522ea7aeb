"""Signed webhooks as https://www.standardwebhooks.com describes them (specification 1.0.0, symmetric signatures)."""

import base64
import hashlib
import hmac
import http.client
import secrets
import socket
import ssl
from functools import cache
from typing import Any, Final

from django.conf import settings

from billing.notices.deadlines import Deadline, DeadlineSocket
from billing.notices.webhook_addresses import AddressRefusedError, Target, look_up

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
MAX_ANSWER_BYTES: Final = 8192
"""Of status line and headers; the body is not read."""


class WebhookError(Exception):
    """A webhook that was not taken; the message says why."""


class WebhookGoneError(WebhookError):
    """The endpoint answered 410: it wants nothing more."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: HMAC-SHA256 over `id.timestamp.body` with the key that the secret holds."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def post(url: str, secret: str, *, message_id: str, timestamp: int, body: bytes) -> None:
    """POST a signed message; as `post_to_chat` otherwise."""
    _post(
        url,
        body,
        {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secret, message_id=message_id, timestamp=timestamp, body=body),
        },
    )


def post_to_chat(url: str, *, body: bytes) -> None:
    """POST to an address that is secret itself; done within WEBHOOK_TIMEOUT_SECONDS, whatever the receiver does.

    Raises WebhookError unless the answer is 2xx; redirects are not followed.
    """
    _post(url, body, {})


def _post(url: str, body: bytes, more_headers: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "usage-dashboard", **more_headers}
    deadline = Deadline(settings.WEBHOOK_TIMEOUT_SECONDS)
    try:
        status = _status_of_answer(look_up(url), body, headers, deadline)
    except AddressRefusedError as error:
        raise WebhookError(str(error)) from error
    except TimeoutError as error:
        raise WebhookError(f"The endpoint did not respond within {deadline.seconds:g} s.") from error
    except (OSError, http.client.HTTPException) as error:
        raise WebhookError(f"{type(error).__name__}: {error}") from error
    if status == http.client.GONE:
        raise WebhookGoneError("The endpoint answered 410: it is gone.")
    if not 200 <= status < 300:
        raise WebhookError(f"The endpoint answered {status}.")


def _status_of_answer(target: Target, body: bytes, headers: dict[str, str], deadline: Deadline) -> int:
    kind = http.client.HTTPConnection if target.scheme == "http" else http.client.HTTPSConnection
    connection = kind(target.host, target.port)
    own: Any = DeadlineSocket(_connected(target, deadline), deadline, max_bytes=MAX_ANSWER_BYTES)
    connection.sock = own
    try:
        connection.request("POST", target.path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _connected(target: Target, deadline: Deadline) -> socket.socket:
    """To an address that was checked: a name that resolves otherwise the next time leads nowhere else."""
    plain = _connected_to_one_of(target, deadline)
    if target.scheme == "http":
        return plain
    try:
        plain.settimeout(deadline.remaining())  # a handshake takes the time-out for all of it
        return _tls().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


def _connected_to_one_of(target: Target, deadline: Deadline) -> socket.socket:
    for address in target.ip_addresses[:-1]:
        try:
            return socket.create_connection((address, target.port), deadline.remaining() / 2)
        except OSError:
            continue  # the next may be in a network that this machine reaches
    return socket.create_connection((target.ip_addresses[-1], target.port), deadline.remaining())


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
