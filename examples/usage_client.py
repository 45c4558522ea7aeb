"""A client for the usage dashboard, to copy into a project: one file, the standard library alone.

    from usage_client import UsageClient

    usage = UsageClient("https://usage.example.com", "it-…")
    usage.report(usage_type="completions", model="gpt-5", api_key_id="key_…", input_tokens=1200, output_tokens=340)

`report` takes microseconds and never waits for the network: a thread sends what has gathered, about once a second, and again
until it is stored. Each event has its id before it is sent, so however often it is sent, it counts once. At most `max_events`
wait in memory; beyond that new ones are dropped, counted in `dropped` and logged. At exit what waits is sent, for `exit_seconds`
at most. Threads may share a client; after a fork each process sends what it reported itself. A process that
ends without the usual exit (`os._exit`, children of `multiprocessing`) calls `close` before it does.
"""

import atexit
import gzip
import http.client
import json
import logging
import os
import random
import threading
import time
import urllib.error
import urllib.request
import uuid
import weakref
from collections import deque
from typing import Any

UNANSWERED = (OSError, http.client.HTTPException, ValueError, LookupError, TypeError)
"""No answer, or one that is not the dashboard's: a proxy's page, for example."""
MAX_WAIT = 60.0
logger = logging.getLogger("usage_client")


class UsageClient:
    """Reports usage to the address `url` with an ingest token, or with an API key that reports its own usage.

    `path` says what is reported: events, or with "/v1/usage/responses" answers of providers as they are.
    `dropped` counts what found no room or was still unsent at exit, `refused` what the server will never take.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        path: str = "/v1/usage/events",
        max_events: int = 10_000,
        batch_events: int = 500,
        interval_seconds: float = 1.0,
        timeout_seconds: float = 10.0,
        exit_seconds: float = 5.0,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url} is no http address.")
        self._address = url.rstrip("/") + path
        self._token = token
        self._max_events, self._batch_events = max_events, batch_events
        self._interval, self._timeout, self._exit = interval_seconds, timeout_seconds, exit_seconds
        self._start_empty()
        _clients.add(self)

    def report(self, *, id: str | None = None, timestamp: float | None = None, **event: Any) -> str:  # noqa: A002 - the event's own word
        """Queue an event of now, or of `timestamp` (Unix seconds); returns its id.

        Give the id that the request has with you or with its provider, so that reporting it twice counts once.
        """
        event_id = id or uuid.uuid4().hex
        found = json.dumps({"id": event_id, "timestamp": timestamp or time.time(), **event}).encode()
        with self._changed:
            if len(self._waiting) >= self._max_events:
                self._drop(1, "no room is left")
            else:
                self._waiting.append(found)
                self._require_thread()
                if len(self._waiting) >= self._batch_events:
                    self._changed.notify_all()
        return event_id

    def flush(self, timeout_seconds: float = 30.0) -> bool:
        """Send what waits now; whether all of it was sent within the time."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._waiting, timeout_seconds)

    def close(self) -> None:
        """Send what waits, for `exit_seconds` at most, and stop. Called at exit by itself."""
        self.flush(self._exit)
        with self._changed:
            self._is_over = True
            if self._waiting:
                self._drop(len(self._waiting), "the program ended")
                self._waiting.clear()
            self._changed.notify_all()

    def _start_empty(self) -> None:
        """Also for the child of a fork: what its parent had reported, the parent sends."""
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._thread: threading.Thread | None = None
        self._hurry = self._is_over = False
        self._size, self._asked = self._batch_events, 0.0
        self.dropped = self.refused = 0

    def _drop(self, number: int, reason: str) -> None:
        self.dropped += number
        if number > 1 or self.dropped & (self.dropped - 1) == 0:  # the 1st, 2nd, 4th, 8th … so that logs do not drown
            logger.error("Usage was not reported, because %s: %d events so far.", reason, self.dropped)

    def _require_thread(self) -> None:
        if self._thread is None and not self._is_over:
            self._thread = threading.Thread(target=self._send_on, name="usage client", daemon=True)
            self._thread.start()

    def _send_on(self) -> None:
        failures = 0
        while not self._is_over:
            with self._changed:
                self._changed.wait_for(lambda: self._hurry or self._is_full(), self._interval)
                self._hurry = self._hurry and bool(self._waiting)
                batch = [self._waiting[place] for place in range(min(self._size, len(self._waiting)))]
            if not batch:
                continue
            wait = self._send(batch, failures)
            failures = 0 if wait is None else failures + 1
            if wait is not None:
                self._rest(wait)

    def _is_full(self) -> bool:
        return self._is_over or len(self._waiting) >= self._batch_events

    def _rest(self, seconds: float) -> None:
        """Until it is time to send again, or someone waits for it; never before the server said."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over, self._asked)
            self._changed.wait_for(lambda: self._hurry or self._is_over, max(0.0, seconds - self._asked))
            self._hurry, self._asked = False, 0.0

    def _send(self, batch: list[bytes], failures: int) -> float | None:
        """Send the batch, which goes from memory when the server has decided; else how many seconds to wait."""
        body = gzip.compress(b"\n".join(batch), 1)
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
        }
        request = urllib.request.Request(self._address, body, headers)
        backoff = random.uniform(0.5, 1.0) * min(MAX_WAIT, 0.5 * 2.0 ** min(failures, 10))
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                self._note_refused(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return self._after_refusal(error, batch, backoff)
        except UNANSWERED as error:
            logger.warning("Usage could not be reported, and is sent again in %.1f s: %s", backoff, error)
            return backoff
        self._done(len(batch))
        return None

    def _after_refusal(self, error: urllib.error.HTTPError, batch: list[bytes], backoff: float) -> float | None:
        """A wrong token or a server in trouble may be mended, so the batch waits. One that is too large is sent in parts."""
        said = error.read(500).decode(errors="replace")
        if error.code == 413 and len(batch) > 1:
            self._size = len(batch) // 2
            return 0.0
        if error.code in (400, 413, 415, 422):
            logger.error("The server cannot read this usage, which is lost: %s %s", error.code, said)
            self.refused += len(batch)
            self._done(len(batch))
            return None
        asked = error.headers.get("Retry-After", "")
        self._asked = min(float(asked), MAX_WAIT) if asked.isdigit() else 0.0
        wait = max(backoff, self._asked)
        logger.warning("Usage could not be reported, and is sent again in %.1f s: %s %s", wait, error.code, said)
        return wait

    def _note_refused(self, answer: dict[str, Any]) -> None:
        refused = [result for result in answer["results"] if result["status"] == "rejected"]
        self.refused += len(refused)
        for code, message in {result["code"]: result["message"] for result in refused}.items():
            logger.error("Usage was refused: %s: %s", code, message)

    def _done(self, number: int) -> None:
        with self._changed:
            for _ in range(number):
                self._waiting.popleft()
            self._size = self._batch_events
            self._changed.notify_all()


_clients: "weakref.WeakSet[UsageClient]" = weakref.WeakSet()


def _close_all() -> None:
    for client in list(_clients):
        client.close()


def _after_fork() -> None:
    for client in list(_clients):
        client._start_empty()  # noqa: SLF001 - of this module


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
