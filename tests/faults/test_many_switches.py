"""Tracking is switched 48 times a second, by one person or by 48: the ingest of others goes on, and every switch counts.

A form costs web some milliseconds of its processor, whatever it changes, and on two cores that is felt. So ingest beside
switches is held against ingest beside as many forms that only give the keys another name.
"""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import User
from apikeys.keys import keys
from apikeys.models import APIKey, TrackingChange
from tests.faults.harness import HOST, Stack
from tests.faults.load import Client, Ledger
from tests.faults.proof import Scenario
from tests.world import Role, make_organization, make_user

pytestmark = pytest.mark.faults
SWITCHES_PER_SECOND: Final = 48
NUM_SWITCHING: Final = 8  # connections that switch
NUM_SENDING: Final = 6  # connections that send events of others
ROUNDS: Final = 3
SECONDS: Final = 2.5  # of each round
MOST: Final = 1.5
TOKEN: Final = "a" * 32


@dataclass
class Person:
    """Somebody who is signed in and switches one key of theirs on and off."""

    key: APIKey
    cookie: str
    wanted: bool = False
    answers: Counter[int] = field(default_factory=Counter)

    def switch(self, web: http.client.HTTPConnection) -> None:
        self.wanted = not self.wanted
        status, retry_after = self._post(web, "tracking", tracked="on" if self.wanted else "off")
        self.answers[status] += 1
        assert status == 302 or int(retry_after) <= 60

    def rename(self, web: http.client.HTTPConnection) -> None:
        assert self._post(web, "name", name="Desktop")[0] == 302

    def _post(self, web: http.client.HTTPConnection, form: str, **fields: str) -> tuple[int, str]:
        """Status and `Retry-After` of the answer."""
        body = urlencode({"csrfmiddlewaretoken": TOKEN, **fields})
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        web.request("POST", reverse(f"apikeys:{form}", args=[self.key.public_id]), body, headers)
        response = web.getresponse()
        response.read()
        return response.status, response.getheader("Retry-After", "")


@pytest.fixture
def paged(stack: Stack) -> Iterator[Stack]:
    """Web that shows pages without collected static files."""
    stack.stop("web")
    stack.start("web", environment={"DEBUG": "1"})
    yield stack
    stack.stop("web")
    stack.start("web")


@pytest.fixture
def people(paged: Stack, scenario: Scenario, settings: Settings) -> list[Person]:
    """48 people of one organization, each with an untracked key, and the sessions that web would have given them."""
    settings.SECRET_KEY = (paged.plan.data_dir / "secret_key").read_text().strip()
    organization = make_organization(f"many {database_now():%H%M%S%f}")
    roles = [Role.OWNER, *[Role.READER] * (SWITCHES_PER_SECOND - 1)]
    return [
        make_person(make_user(f"{number}@{organization.slug}.test", name="", role=role, organization=organization))
        for number, role in enumerate(roles)
    ]


def make_person(user: User) -> Person:
    key, _ = keys.create_api_key(user=user, name="Laptop", created_at=database_now().replace(year=2023, day=1))
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return Person(key, f"sessionid={session.session_key}; csrftoken={TOKEN}")


def test_48_people_who_switch_at_once_are_all_served_and_hold_up_nobody(
    stack: Stack, scenario: Scenario, people: list[Person]
) -> None:
    require_others_go_on(stack, scenario, people)
    for person in people:
        assert person.answers.keys() == {302}
        switches = TrackingChange.objects.filter(api_key=person.key).order_by("effective_at")
        assert [switch.tracked for switch in switches] == [number % 2 == 1 for number in range(person.answers[302] + 1)]


def test_one_person_who_switches_without_end_is_told_to_wait_and_holds_up_nobody(
    stack: Stack, scenario: Scenario, people: list[Person], settings: Settings
) -> None:
    person = people[0]
    require_others_go_on(stack, scenario, [person])
    assert person.answers.keys() == {302, 429}
    num_windows = 2 + int(ROUNDS * SECONDS * 4 // 60)
    assert person.answers[302] <= num_windows * settings.CHANGES_PER_MINUTE


def require_others_go_on(stack: Stack, scenario: Scenario, people: Sequence[Person]) -> None:
    """Ingest of others in rounds beside other forms and beside switches, in turn."""
    taken: Counter[str] = Counter()
    for _ in range(ROUNDS):
        for name, post in (("renames", Person.rename), ("switches", Person.switch)):
            with posted(stack, people, post):
                taken[name] += sent_in_a_round(stack, scenario)
    assert taken["switches"] >= taken["renames"] / MOST, f"events of others: {taken}"


@contextmanager
def posted(
    stack: Stack, people: Sequence[Person], post: Callable[[Person, http.client.HTTPConnection], None]
) -> Iterator[None]:
    """48 forms a second, of these people in turn."""
    stop, turns, began_at = threading.Event(), itertools.count(), time.monotonic()

    def work() -> None:
        with closing(http.client.HTTPConnection(HOST, stack.plan.port, timeout=20)) as web:
            while not stop.is_set():
                turn = next(turns)
                stop.wait(max(began_at + turn / SWITCHES_PER_SECOND - time.monotonic(), 0))
                post(people[turn % len(people)], web)

    with at_work(work, NUM_SWITCHING):
        try:
            yield
        finally:
            stop.set()


def sent_in_a_round(stack: Stack, scenario: Scenario) -> int:
    """How many single events were taken."""
    stop, taken = threading.Event(), itertools.count()

    def work() -> None:
        client = Client(stack.plan.port, scenario.secret, Ledger())
        while not stop.is_set():
            number = next(numbers)
            status, body = client.post(scenario.load.events.body([number]))
            assert (status, json.loads(body)["accepted"]) == (200, 1), body
            next(taken)
        client.web.close()

    with at_work(work, NUM_SENDING):
        time.sleep(SECONDS)
        stop.set()
    return next(taken)


numbers = itertools.count(20_000_000)


@contextmanager
def at_work(work: Callable[[], None], count: int) -> Iterator[None]:
    with ThreadPoolExecutor(count) as threads:
        running = [threads.submit(work) for _ in range(count)]
        yield
        for one in running:
            one.result(30)
