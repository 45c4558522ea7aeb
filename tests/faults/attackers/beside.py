"""What others get done beside somebody's attack: rounds with it and without it, in turn, as the machine does other things too."""

import http.client
import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse

from accounts.models import User
from tests.faults.harness import HOST, Stack
from tests.faults.load import Client, Ledger
from tests.faults.proof import Scenario

NUM_SENDING: Final = 6  # connections that send events of others
NUM_READING: Final = 1  # people who open one page after the other
ROUNDS: Final = 7
SECONDS: Final = 2.0  # of each round
MOST: Final = 1.5
MOST_LAG_SECONDS: Final = 5.0
NUM_MEASURED: Final = 8_000  # events in small batches, about a second of both processors
TOKEN: Final = "a" * 32

Attack = Callable[[], AbstractContextManager[None]]
_numbers: Final = itertools.count(20_000_000)


@dataclass(frozen=True)
class Round:
    """Events of others that were taken and pages that they were shown in SECONDS, and the longest that rollups were behind."""

    events: int
    pages: int
    lag_seconds: float


@dataclass(frozen=True)
class Others:
    """A gateway that sends single events, and a person of the same organization who opens its Activity page."""

    stack: Stack
    scenario: Scenario

    def in_a_round(self) -> Round:
        stop, events, pages, lags = threading.Event(), itertools.count(), itertools.count(), [0.0]
        person = User.objects.select_related("default_organization").get(pk=self.scenario.user_id)
        assert person.default_organization is not None
        page, cookie = reverse("metering:activity", args=[person.default_organization.slug]), signed_in(person)

        def send() -> None:
            client = Client(self.stack.plan.port, self.scenario.secret, Ledger())
            while not stop.is_set():
                status, body = client.post(self.scenario.load.events.body([next(_numbers)]))
                assert (status, json.loads(body)["accepted"]) == (200, 1), body
                next(events)
            client.web.close()

        def read() -> None:
            with closing(http.client.HTTPConnection(HOST, self.stack.plan.port, timeout=20)) as web:
                while not stop.is_set():
                    web.request("GET", page, headers={"Cookie": cookie})
                    response = web.getresponse()
                    response.read()
                    assert response.status == 200
                    next(pages)

        with at_work(send, NUM_SENDING), at_work(read, NUM_READING):
            ends = time.monotonic() + SECONDS
            while time.monotonic() < ends:
                lags.append(json.loads(self.stack.get("/readyz")[1])["rollup_lag_seconds"])
                time.sleep(0.2)
            stop.set()
        return Round(next(events), next(pages), max(lags))


def require_others_go_on(others: Others, attack: Attack, *, name: str) -> None:
    """Events and pages of others are at most MOST times slower beside the attack, and rollups keep up.

    The median of rounds that are each held against the one just before, because the machine does other things too. It is
    known to be within MOST when more than half of ROUNDS are: the rest need not be waited for.
    """
    others.in_a_round()
    pairs: list[tuple[Round, Round]] = []
    while len(pairs) < ROUNDS and not is_decided(pairs):
        alone = others.in_a_round()
        with attack():
            pairs.append((alone, others.in_a_round()))
    lag = max(beside.lag_seconds for _, beside in pairs)
    slower = {thing: statistics.median(times) for thing, times in times_slower(pairs).items()}
    said = ", ".join(f"{thing} {times:.2f} times slower" for thing, times in slower.items())
    print(f"beside {name}: {said}, rollups {lag:.1f} s behind; {pairs}")
    assert max(slower.values()) <= MOST, f"others beside {name}: {said}; {pairs}"
    assert lag <= MOST_LAG_SECONDS, f"rollups are {lag:.1f} s behind"


def require_batches_go_on(scenario: Scenario, attack: Attack, *, name: str) -> None:
    """NUM_MEASURED events in small batches take at most MOST times as long beside the attack: the median of rounds, as above."""
    rate_of_events(scenario)
    slower: list[float] = []
    while len(slower) < ROUNDS and not is_within(slower):
        alone = rate_of_events(scenario)
        with attack():
            slower.append(alone / rate_of_events(scenario))
    said = ", ".join(f"{times:.2f}" for times in slower)
    print(f"beside {name}: {said} times slower")
    assert statistics.median(slower) <= MOST, f"events beside {name}: {said} times slower"


def rate_of_events(scenario: Scenario) -> float:
    """Events a second."""
    began_at = time.monotonic()
    with scenario.load.sending(NUM_MEASURED, batch_size=10):
        pass
    return NUM_MEASURED / (time.monotonic() - began_at)


def is_decided(pairs: Sequence[tuple[Round, Round]]) -> bool:
    """Whether the medians of ROUNDS pairs are all within MOST, whatever the rest of them would be."""
    return all(is_within(times) for times in times_slower(pairs).values())


def is_within(times: Sequence[float]) -> bool:
    """Whether the median of ROUNDS such ratios is within MOST, whatever the rest of them would be."""
    return sum(one <= MOST for one in times) > ROUNDS // 2


def times_slower(pairs: Sequence[tuple[Round, Round]]) -> dict[str, list[float]]:
    """Of each pair of rounds, without an attack and with it."""
    return {
        "events": [alone.events / max(beside.events, 1) for alone, beside in pairs],
        "pages": [alone.pages / max(beside.pages, 1) for alone, beside in pairs],
    }


@contextmanager
def paced(
    do: Callable[[http.client.HTTPConnection, int], None], stack: Stack, *, per_second: float, connections: int
) -> Iterator[None]:
    """So often a second, over a few connections, each time with the number of its turn. It ends with the block."""
    stop, turns, began_at = threading.Event(), itertools.count(), time.monotonic()

    def work() -> None:
        with closing(http.client.HTTPConnection(HOST, stack.plan.port, timeout=30)) as web:
            while not stop.is_set():
                turn = next(turns)
                stop.wait(max(began_at + turn / per_second - time.monotonic(), 0))
                do(web, turn)

    with at_work(work, connections):
        try:
            yield
        finally:
            stop.set()


def signed_in(user: User) -> str:
    """The cookies that web would have given this person, with a token for forms."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}; {settings.CSRF_COOKIE_NAME}={TOKEN}"


@contextmanager
def at_work(work: Callable[[], None], count: int) -> Iterator[None]:
    """So many threads do this, each until it ends by itself; they have 30 seconds for that after the block."""
    with ThreadPoolExecutor(count) as threads:
        running = [threads.submit(work) for _ in range(count)]
        yield
        for one in running:
            one.result(30)
