"""Clients that send events until each is acknowledged, and remember what was."""

import http.client
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import ClassVar, Final
from uuid import UUID

from accounts.clock import database_now
from tests.faults.harness import HOST
from usage_dashboard.machine.processes import wait_until

PATH: Final = "/v1/usage/events"
REQUEST_TIMEOUT_SECONDS: Final = 15
GIVE_UP_AFTER_SECONDS: Final = 90
MODELS: Final = ("gpt-4o", "claude-sonnet-4-5", "gpt-4o-mini", "nobody-knows")
LONG_INPUT: Final = 250_000
EVENT: Final = (
    '{"id":"%s-%d","timestamp":"%sT%02d:%02d:%02dZ","api_key_id":"%s","usage_type":"completions",'
    '"model":"%s","input_tokens":%d,"output_tokens":%d}'
)
COUNTS: Final = re.compile(rb'\{"accepted":(\d+),"duplicates":(\d+),"rejected":(\d+)')


@dataclass(frozen=True)
class Events:
    """Numbered events of some keys on three days: number n is the same event however often it is made."""

    path: ClassVar[str] = PATH
    content_type: ClassVar[str] = "application/json"

    name: str
    key_ids: Sequence[str]
    days: Sequence[str] = field(
        default_factory=lambda: [f"{database_now() - timedelta(days=back):%Y-%m-%d}" for back in (1, 2, 3)]
    )

    def event(self, number: int) -> str:
        second = number * 37 % 86_400
        return EVENT % (
            *(self.name, number, self.days[number // 1000 % len(self.days)]),
            *(second // 3600, second // 60 % 60, second % 60),
            self.key_ids[number % len(self.key_ids)],
            MODELS[number % 7 % len(MODELS)],
            *(self.input_tokens(number), self.output_tokens(number)),
        )

    def body(self, numbers: Iterable[int]) -> bytes:
        return f"[{','.join(map(self.event, numbers))}]".encode()

    def stored_id(self, number: int) -> UUID:
        return event_hash(f"{self.name}-{number}")

    @staticmethod
    def input_tokens(number: int) -> int:
        """Some are long contexts, which take another way through the checks."""
        return LONG_INPUT if number % 100 == 99 else 1 + number % 997

    @staticmethod
    def output_tokens(number: int) -> int:
        return 1 + number % 89


def event_hash(caller_id: str) -> UUID:
    """What is stored of an event's id."""
    return UUID(bytes=blake2b(caller_id.encode(), digest_size=16).digest())


@dataclass
class Ledger:
    """What was sent and what was answered. Several clients write to it."""

    sent: int = 0
    accepted: int = 0
    duplicates: int = 0
    acknowledged: set[int] = field(default_factory=set)
    troubles: Counter[str] = field(default_factory=Counter)
    """Requests without an acknowledgement, by status or by what broke."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, numbers: Sequence[int], status: int, answer: bytes) -> bool:
        """Whether the answer acknowledges the events. One that refuses any of them is an error of the product or the test."""
        with self.lock:
            self.sent += len(numbers)
            if status != 200:
                self.troubles[str(status)] += 1
                return False
            if not answer:  # OTLP's answer where nothing was rejected
                self.acknowledged.update(numbers)
                return True
            counts = COUNTS.match(answer)
            assert counts is not None, answer[:300]
            accepted, duplicates, rejected = map(int, counts.groups())
            assert (rejected, accepted + duplicates) == (0, len(numbers)), answer[:300]
            self.accepted += accepted
            self.duplicates += duplicates
            self.acknowledged.update(numbers)
            return True

    def note_trouble(self, numbers: Sequence[int], error: Exception) -> None:
        with self.lock:
            self.sent += len(numbers)
            self.troubles[type(error).__name__] += 1


class Client:
    """One sender with one connection at a time."""

    def __init__(
        self, port: int, secret: str, ledger: Ledger, *, path: str = PATH, content_type: str = "application/json"
    ) -> None:
        self.port, self.secret, self.ledger = port, secret, ledger
        self.path, self.content_type = path, content_type
        self.web = http.client.HTTPConnection(HOST, port, timeout=REQUEST_TIMEOUT_SECONDS)

    def send(self, body: bytes, numbers: Sequence[int]) -> None:
        """Send events until they are acknowledged."""
        deadline = time.monotonic() + GIVE_UP_AFTER_SECONDS
        while not self.try_to_send(body, numbers):
            assert time.monotonic() < deadline, f"not acknowledged; {self.ledger.troubles}"
            time.sleep(random.uniform(0.01, 0.1))

    def try_to_send(self, body: bytes, numbers: Sequence[int]) -> bool:
        try:
            status, answer = self.post(body)
        except (OSError, http.client.HTTPException) as error:
            self.ledger.note_trouble(numbers, error)
            return False
        return self.ledger.note(numbers, status, answer)

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; after an error the connection is closed."""
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": self.content_type}
        try:
            self.web.request("POST", self.path, body, headers)
            response = self.web.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.web.close()
            raise


class Load:
    """Clients at work in threads, each with batches of its own, of which it sends some again now and then."""

    def __init__(self, port: int, secret: str, events: Events) -> None:
        self.port, self.secret, self.events = port, secret, events
        self.ledger = Ledger()
        self.running: list[Future[None]] = []
        self.num_wanted = 0

    @contextmanager
    def sending(
        self, total: int, *, clients: int = 4, batch_size: int = 100, at_least_seconds: float = 0
    ) -> Iterator[None]:
        """New events of that number are on their way; at the end of the block all of them are acknowledged."""
        start = self.num_wanted
        self.num_wanted += total
        batches = [
            range(first, min(first + batch_size, self.num_wanted))
            for first in range(start, self.num_wanted, batch_size)
        ]
        pause_seconds = at_least_seconds * clients / len(batches)
        with self.sending_batches([batches[place::clients] for place in range(clients)], pause_seconds=pause_seconds):
            yield

    @contextmanager
    def sending_batches(self, work: Sequence[Sequence[Sequence[int]]], *, pause_seconds: float = 0) -> Iterator[None]:
        """One client per list of batches, which rests after each of them."""
        with ThreadPoolExecutor(len(work)) as pool:
            self.running = [pool.submit(self._work, batches, pause_seconds) for batches in work]
            yield
            for client in self.running:
                client.result()

    def wait_for(self, fraction: float) -> None:
        """Returns when that part of what is wanted so far is acknowledged."""
        wanted = fraction * self.num_wanted
        in_time = wait_until(
            lambda: len(self.ledger.acknowledged) >= wanted or all(client.done() for client in self.running),
            timeout_seconds=GIVE_UP_AFTER_SECONDS,
            every_seconds=0.001,
        )
        assert in_time
        assert len(self.ledger.acknowledged) >= wanted, self.ledger.troubles

    def is_on(self) -> bool:
        return not all(client.done() for client in self.running)

    def _work(self, batches: Sequence[Sequence[int]], pause_seconds: float) -> None:
        to = {"path": self.events.path, "content_type": self.events.content_type}
        client = Client(self.port, self.secret, self.ledger, **to)
        try:
            for place, numbers in enumerate(batches):
                client.send(self.events.body(numbers), numbers)
                if random.random() < 0.1:
                    again = batches[random.randint(0, place)]
                    client.send(self.events.body(again), again)
                time.sleep(pause_seconds)
        finally:
            client.web.close()


def head(secret: str, num_bytes: int) -> bytes:
    """The head of a request that sends events over a connection of its own."""
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {num_bytes}\r\n\r\n"
    ).encode()
