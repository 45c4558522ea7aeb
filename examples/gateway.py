"""A gateway in front of a model's API, as small as one can be: it asks about the caller's key, passes the request on, and reports
the usage that the provider answers with. The standard library alone, beside `usage_client.py`.

    USAGE_URL=https://usage.example.com USAGE_TOKEN=it-… PROVIDER_URL=https://api.openai.com PROVIDER_KEY=… python3 gateway.py

Callers then use http://localhost:8080/v1 with their own key `sk-…`. Streams pass through as they come.
"""

import http.client
import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from usage_client import UsageClient

logger = logging.getLogger("gateway")
VERDICT_SECONDS = 5.0  # how long a key that was revoked may still work
STALE_SECONDS = 300.0  # how long the last verdict holds while the dashboard does not answer
MAX_VERDICTS = 10_000
MAX_BODY = 20 * 1024 * 1024
TIMEOUT_SECONDS = 600
PATH = "/v1/chat/completions"
UNREADABLE = {"allowed": False, "reason": "unreadable_key", "api_key_id": None}
UNKNOWN = {"allowed": False, "reason": "unavailable", "api_key_id": None}


class Keys:
    """What the dashboard says of keys, remembered for a few seconds."""

    def __init__(self, url: str, token: str) -> None:
        self._address, self._token = f"{url.rstrip('/')}/v1/keys/verify", token
        self._verdicts: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def verdict(self, key: str, model: str) -> dict[str, Any]:
        """May this key ask for this model? As in docs/key-verification.md."""
        now = time.monotonic()
        asked_at, known = self._verdicts.get((key, model), (-STALE_SECONDS, UNKNOWN))
        if now - asked_at < VERDICT_SECONDS:
            return known
        try:
            found = self._ask(key, model)
        except (OSError, ValueError) as error:
            logger.warning("The usage dashboard does not answer: %s", error)
            return known if now - asked_at < STALE_SECONDS else UNKNOWN
        with self._lock:
            if len(self._verdicts) >= MAX_VERDICTS:
                self._verdicts.clear()
            self._verdicts[key, model] = now, found
        return found

    def _ask(self, key: str, model: str) -> dict[str, Any]:
        body = json.dumps({"key": key, "model": model}).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self._address, body, headers), timeout=5) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 400:
                    return UNREADABLE
            raise


class Gateway(ThreadingHTTPServer):
    """Listens on `address`; what it needs to know of the dashboard and of the provider."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], *, keys: Keys, usage: UsageClient, provider_url: str, provider_key: str
    ) -> None:
        super().__init__(address, Handler)
        self.keys, self.usage = keys, usage
        self.provider_url, self.provider_key = provider_url.rstrip("/"), provider_key


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Gateway

    def do_POST(self) -> None:
        """Asks, passes on, reports."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != PATH or not 0 < length <= MAX_BODY:
            return self._refuse(
                404 if self.path != PATH else 413, "not_found", f"Only POST {PATH}, up to {MAX_BODY:,} bytes."
            )
        try:
            asked = json.loads(self.rfile.read(length))
            model = str(asked["model"])
        except (ValueError, KeyError, TypeError):
            return self._refuse(400, "invalid_request", "Send a JSON object with a model.")
        verdict = self.server.keys.verdict(self.headers.get("Authorization", "").removeprefix("Bearer ").strip(), model)
        if not verdict["allowed"]:
            return self._refuse(*_refusal(verdict))
        if asked.get("stream"):
            asked["stream_options"] = {**(asked.get("stream_options") or {}), "include_usage": True}
        return self._pass_on(asked, verdict["api_key_id"])

    def _pass_on(self, asked: dict[str, Any], api_key_id: str) -> None:
        headers = {"Authorization": f"Bearer {self.server.provider_key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.server.provider_url + PATH, json.dumps(asked).encode(), headers)
        try:
            answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            answer = error  # an answer, too
        except OSError as error:
            return self._refuse(502, "provider_unreachable", str(error))
        found: dict[str, Any] = {}
        with answer:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
            self.end_headers()
            try:
                for line in answer if asked.get("stream") else [answer.read()]:
                    found = _usage_in(line) or found
                    self._write(line)
            except (http.client.HTTPException, OSError) as error:
                logger.warning("The provider's answer broke off: %s", error)
        if found:
            self._report(found, api_key_id)
        return None

    def _write(self, line: bytes) -> None:
        """A caller who went away is charged for what the provider answered all the same."""
        try:
            self.wfile.write(line)
        except OSError:
            self.close_connection = True

    def _report(self, found: dict[str, Any], api_key_id: str) -> None:
        self.server.usage.report(
            id=found["id"],
            provider="openai",
            api="chat",
            api_key_id=api_key_id,
            model=found["model"],
            usage=found["usage"],
            service_tier=found.get("service_tier"),
        )

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        logger.info(format, *args)


def _refusal(verdict: dict[str, Any]) -> tuple[int, str, str]:
    """(status, code, sentence)."""
    reason = verdict["reason"] or "refused"
    if reason == "unavailable":
        return 503, reason, "Keys cannot be checked at the moment; try again."
    status = 429 if reason == "budget_exhausted" else 401
    return status, reason, verdict.get("message") or f"This key may not do that: {reason}."


def _usage_in(line: bytes) -> dict[str, Any]:
    """The answer, or the part of a stream, that tells of the usage; empty for another."""
    try:
        found = json.loads(line.removeprefix(b"data:"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("usage") and found.get("id") else {}


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    url, token = os.environ["USAGE_URL"], os.environ["USAGE_TOKEN"]
    gateway = Gateway(
        (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))),
        keys=Keys(url, token),
        usage=UsageClient(url, token, path="/v1/usage/responses"),
        provider_url=os.environ["PROVIDER_URL"],
        provider_key=os.environ["PROVIDER_KEY"],
    )
    gateway.serve_forever()


if __name__ == "__main__":
    main()
