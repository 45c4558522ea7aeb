"""Tracking is switched 48 times a second, by one person or by 48: others go on, and every switch that is taken counts.

A form costs web some milliseconds of its processor, whatever it changes, and on two cores 48 a second are felt. So what 48
people do is held against as many forms that only give the keys another name. One person is told to wait, and is held against
nobody at all.
"""

import http.client
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import User
from apikeys.keys import keys
from apikeys.models import APIKey, TrackingChange
from tests.faults.attackers.beside import MOST, ROUNDS, SECONDS, TOKEN, Others, paced, require_others_go_on, signed_in
from tests.faults.harness import Stack
from tests.faults.proof import Scenario
from tests.world import Role, make_organization, make_user

pytestmark = [pytest.mark.faults, pytest.mark.alone]
SWITCHES_PER_SECOND: Final = 48
NUM_SWITCHING: Final = 8  # connections that switch


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
def people(paged: Stack) -> list[Person]:
    """48 people of one organization, each with an untracked key, and signed in."""
    organization = make_organization(f"many {database_now():%H%M%S%f}")
    roles = [Role.OWNER, *[Role.READER] * (SWITCHES_PER_SECOND - 1)]
    return [
        make_person(make_user(f"{number}@{organization.slug}.test", name="", role=role, organization=organization))
        for number, role in enumerate(roles)
    ]


def make_person(user: User) -> Person:
    key, _ = keys.create_api_key(user=user, name="Laptop", created_at=database_now().replace(year=2023, day=1))
    return Person(key, signed_in(user))


def test_48_people_who_switch_at_once_are_all_served_and_hold_up_nobody(
    paged: Stack, scenario: Scenario, people: list[Person]
) -> None:
    others, taken = Others(paged, scenario), Counter[str]()
    for _ in range(ROUNDS):
        for name, post in (("renames", Person.rename), ("switches", Person.switch)):
            with posted(paged, people, post):
                taken[name] += others.in_a_round().events
    assert taken["switches"] >= taken["renames"] / MOST, f"events of others: {taken}"
    for person in people:
        assert person.answers.keys() == {302}
        switches = TrackingChange.objects.filter(api_key=person.key).order_by("effective_at")
        assert [switch.tracked for switch in switches] == [number % 2 == 1 for number in range(person.answers[302] + 1)]


def test_one_person_who_switches_without_end_is_told_to_wait_and_holds_up_nobody(
    paged: Stack, scenario: Scenario, people: list[Person], settings: Settings
) -> None:
    person = people[0]
    require_others_go_on(
        Others(paged, scenario), lambda: posted(paged, [person], Person.switch), name="switches of one person"
    )
    assert person.answers.keys() == {302, 429}
    num_windows = 2 + int(ROUNDS * SECONDS * 4 // 60)
    assert person.answers[302] <= num_windows * settings.CHANGES_PER_MINUTE


def posted(
    stack: Stack, people: list[Person], post: Callable[[Person, http.client.HTTPConnection], None]
) -> AbstractContextManager[None]:
    """48 forms a second, of these people in turn."""
    return paced(
        lambda web, turn: post(people[turn % len(people)], web),
        stack,
        per_second=SWITCHES_PER_SECOND,
        connections=NUM_SWITCHING,
    )
