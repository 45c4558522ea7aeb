"""A server with usage of all kinds, what each event of it says, and programs that ask it."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from django.http import HttpResponse
from django.test import Client
from openai import OpenAI

from accounts.clock import database_now
from accounts.models import Organization
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.models import AdminKey
from metering.measures import ALLOWED_MEASURES, UsageType
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.usage.what_for import make_project
from tests.world import LONG_AGO, World

SCOPES: Final = list(AdminKey.Scope.values)
NUM_DAYS: Final = 3
UNITS: Final = ("images", "seconds", "characters", "usage_bytes", "num_sessions")
PREFIX: Final = "/v1/organization"
Event = dict[str, Any]


@dataclass(frozen=True)
class Filled:
    """`events` as they were sent, with `api_key_id` None where untracked, and with the `user_id` of their key's user."""

    events: list[Event]
    projects: list[str]
    start: int


def fill(world: World, *, seed: int = 1, number: int = 120) -> Filled:
    """Events of Acme over three days, of each usage type, by three people, tracked and untracked, for three projects."""
    chance = random.Random(seed)
    projects = [make_project(world.acme, name).public_id for name in ("Search", "Chat")]
    people = (world.alice, world.bob, world.rita)
    keys = [make_key(person, f"{person.name} {number}") for person in people for number in range(2)]
    untracked = make_key(world.rita, "Old", created_at=LONG_AGO)
    events = [_event(chance, place, chance.choice([*keys, untracked]), projects) for place in range(number)]
    assert set(send(events, make_token(f"filler {seed}"))) == {"accepted"}
    roll_up()
    known = {key.public_id: key for key in (*keys, untracked)}
    for event in events:
        event["user_id"] = known[event["api_key_id"]].user.public_id
        event["project_id"] = event.pop("project", None)
        if event["api_key_id"] == untracked.public_id:
            event["api_key_id"] = None
    return Filled(events, projects, int(days_ago(NUM_DAYS, hour=0).timestamp()))


def _event(chance: random.Random, place: int, key: Any, projects: list[str]) -> Event:
    usage_type = list(UsageType)[place % len(UsageType)]
    allowed = ALLOWED_MEASURES[usage_type]
    fields: Event = {"input_tokens": None, "output_tokens": None}
    if "input_tokens" in allowed:
        fields |= {"input_tokens": chance.randint(500, 900), "input_cached_tokens": chance.randint(0, 99)}
    if "output_tokens" in allowed:
        fields |= {"output_tokens": chance.randint(200, 400), "output_audio_tokens": chance.randint(0, 99)}
    if "input_cache_write_tokens" in allowed:
        fields |= {"input_cache_write_tokens": 60, "input_cache_write_long_tokens": chance.randint(0, 60)}
    fields |= {name: chance.randint(1, 1_000) for name in UNITS if name in allowed}
    return make_event(
        id=f"filled-{place}",
        timestamp=days_ago(chance.randint(1, NUM_DAYS), hour=chance.randint(0, 23) + chance.random()),
        usage_type=usage_type.label,
        model=chance.choice(["gpt-4o", "gpt-4o-mini"]),
        api_key_id=key.public_id,
        project=chance.choice([None, *projects]),
        batch=chance.random() < 0.3,
        service_tier=chance.choice(["default", "flex", "priority"]),
        num_model_requests=chance.randint(1, 5),
        **fields,
    )


def make_admin_key(organization: Organization, *scopes: str) -> str:
    """The secret of a new admin key, with all scopes if none is named."""
    _, secret = create_admin_key(organization=organization, name="Grafana", scopes=scopes or SCOPES, now=database_now())
    return secret


def ask(secret: str, address: str, query: Any = None) -> HttpResponse:
    """The answer to a GET of an address below /v1/organization."""
    answer = Client().get(f"{PREFIX}/{address}", query or {}, headers={"Authorization": f"Bearer {secret}"})
    assert isinstance(answer, HttpResponse)
    return answer


def openai_client(secret: str) -> OpenAI:
    """The vendor's own client, with another base URL, whose requests reach this server without a network."""
    return OpenAI(
        admin_api_key=secret,
        api_key="unused",
        base_url="http://testserver/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(_answer)),
    )


def _answer(request: httpx2.Request) -> httpx2.Response:
    address = request.url.raw_path.decode()
    answer = Client().generic(request.method, address, request.content, headers=dict(request.headers))
    return httpx2.Response(answer.status_code, headers=dict(answer.items()), content=answer.content)


def results_of(pages: Iterable[Any]) -> list[dict[str, Any]]:
    return [result for page in pages for bucket in page["data"] for result in bucket["results"]]


def every_page(secret: str, address: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """All pages of an answer, one after the other."""
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["has_more"]:
        answer = ask(secret, address, query | ({"page": pages[-1]["next_page"]} if pages else {}))
        assert answer.status_code == 200, answer.content
        pages.append(answer.json())  # type: ignore[attr-defined]
    return pages


def sums(rows: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], Any], name: str) -> dict[Any, int]:
    """The sum of one number by a key of the rows; what is nothing is left out."""
    found: dict[Any, int] = defaultdict(int)
    for row in rows:
        found[key(row)] += row.get(name) or 0
    return {part: number for part, number in found.items() if number}
