"""Request traces (`TIMESTAMP,ContextTokens,GeneratedTokens`, as in the Azure LLM inference trace of 2023) as usage events."""

import csv
import hashlib
import http.client
import json
import re
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

COLUMNS: Final = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
ATTEMPTS: Final = 8
TIMEOUT_SECONDS: Final = 60
ID_PREFIX_CHARACTERS: Final = 40


class TraceError(Exception):
    """The file is no trace, or the server does not take its events."""


def events(path: Path, *, api_key_id: str, model: str, start: datetime) -> Iterator[dict[str, Any]]:
    """The file's requests as events, the first one at `start` (UTC) and the others as far behind it as in the trace.

    Ids follow from the file's name and the row, so that the same file sent twice is stored once.
    """
    prefix = id_prefix(path.stem)
    with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a byte order mark in front
        rows = csv.DictReader(file)
        try:
            columns = list(rows.fieldnames or [])
        except (csv.Error, ValueError) as error:
            raise TraceError(f"{path} is no text: {error}") from error
        if columns != COLUMNS:
            raise TraceError(f"{path} must have the columns {','.join(COLUMNS)}, not {','.join(columns)}.")
        first: datetime | None = None
        for number, row in enumerate(rows, start=1):
            try:
                moment = datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC)
                first = first or moment
                yield {
                    "id": f"{prefix}-{number}",
                    "timestamp": (start + (moment - first)).isoformat(),
                    "usage_type": "completions",
                    "model": model,
                    "api_key_id": api_key_id,
                    "input_tokens": int(row["ContextTokens"]),
                    "output_tokens": int(row["GeneratedTokens"]),
                }
            except (TypeError, ValueError) as error:
                raise TraceError(f"{path}, row {number}: {error}") from error


def id_prefix(name: str) -> str:
    """What the ids of a file's events begin with: the name, if it is short and ids may have its characters, else as much of
    it as they may have and a digest of all of it."""
    kept = re.sub(r"[^!-~]+", "-", name)[:ID_PREFIX_CHARACTERS]
    return name if kept == name else f"{kept[:-9]}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


class Sender:
    """Sends batches to `POST {url}/v1/usage/events` over one connection, again and again until each is answered."""

    def __init__(self, url: str, token: str) -> None:
        parts = urllib.parse.urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise TraceError(f"{url} is no http address: {error}.") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TraceError(f"{url} is no http address.")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, port, timeout=TIMEOUT_SECONDS)
        self.path = f"{parts.path.rstrip('/')}/v1/usage/events"
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def send(self, batch: list[dict[str, Any]]) -> Counter[str]:
        """How many of the batch were `accepted`, `duplicates` and `rejected`, and how many of these by code, as
        `rejected: unknown_api_key`. Raises TraceError if the server refuses the batch as a whole."""
        body = json.dumps(batch).encode()
        for attempt in range(ATTEMPTS):
            try:
                status, answer = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                self.connection.close()
                status, answer = 0, str(error)
            if status == http.HTTPStatus.OK:
                counts = json.loads(answer)
                codes = Counter(f"rejected: {found['code']}" for found in counts["results"] if "code" in found)
                return codes + Counter({name: counts[name] for name in ("accepted", "duplicates", "rejected")})
            if status and status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            time.sleep(min(0.25 * 2**attempt, 10))
        raise TraceError(f"The server answered {status or 'nothing'}: {answer[:300]}")

    def close(self) -> None:
        self.connection.close()

    def _post(self, body: bytes) -> tuple[int, str]:
        self.connection.request("POST", self.path, body, self.headers)
        response = self.connection.getresponse()
        return response.status, response.read().decode(errors="replace")


def replay(
    sender: Sender, trace: list[dict[str, Any]], *, batch_size: int, speed: float | None
) -> Iterator[Counter[str]]:
    """Send the events in batches and yield the running counts; with `speed`, at so many times the pace of the trace."""
    counts: Counter[str] = Counter()
    begun = time.monotonic()
    first = datetime.fromisoformat(trace[0]["timestamp"]) if trace else None
    for start in range(0, len(trace), batch_size):
        batch = trace[start : start + batch_size]
        if speed and first:
            due = (datetime.fromisoformat(batch[-1]["timestamp"]) - first).total_seconds() / speed
            time.sleep(max(0.0, begun + due - time.monotonic()))
        counts += sender.send(batch)
        yield counts
