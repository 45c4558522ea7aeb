"""What one person can do without end, with a key or a session of their own: others go on, and rollups keep up."""

import http.client
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

import pytest

from accounts.clock import database_now
from accounts.models import User
from apikeys.keys import keys
from tests.faults.attackers.beside import Others, paced, require_others_go_on
from tests.faults.conftest import make_scenario
from tests.faults.harness import Stack
from tests.faults.load import PATH
from tests.faults.proof import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.alone]
NUM_CONNECTIONS: Final = 4
COMPLETION: Final = '"timestamp":"%s","usage_type":"completions","model":"%s","input_tokens":%d,"output_tokens":1}'
AN_EVENT: Final = f'{{"id":"%s-%d",{COMPLETION}'
A_CORRECTION: Final = f'{{"id":"%s-%d","corrects":"never-existed",{COMPLETION}'
Bodies = Callable[[int], bytes]


def corrections(place: int) -> bytes:
    """A thousand corrections that are not a key's to make."""
    return body(A_CORRECTION % ("c", place * 1_000 + n, now(), "gpt-4o", -(10**12)) for n in range(1_000))


def beyond_the_limit(place: int) -> bytes:
    """A thousand events that are more than a key may report in a minute, each."""
    return body(AN_EVENT % ("b", place * 1_000 + n, now(), "gpt-4o", 10**12) for n in range(1_000))


def new_models(place: int) -> bytes:
    """Ten thousand events of as many model names that nobody has heard of."""
    return body(AN_EVENT % ("m", place * 10_000 + n, now(), f"unheard-of-{place}-{n}", 1) for n in range(10_000))


def body(events: Iterator[str]) -> bytes:
    return f"[{','.join(events)}]".encode()


def now() -> str:
    return f"{database_now():%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("bodies", "per_second"),
    [(corrections, 50), (beyond_the_limit, 50), (new_models, 0.5)],
    ids=["corrections", "beyond_the_limit", "new_models"],
)
def test_what_one_key_sends_without_end_holds_up_nobody(
    paged: Stack, scenario: Scenario, bodies: Bodies, per_second: float
) -> None:
    answers: Counter[int] = Counter()
    headers = {"Authorization": f"Bearer {key_of_an_attacker(paged)}", "Content-Type": "application/json"}
    texts = [bodies(place) for place in range(8)]

    def send(web: http.client.HTTPConnection, turn: int) -> None:
        web.request("POST", PATH, texts[turn % len(texts)], headers)
        response = web.getresponse()
        response.read()
        answers[response.status] += 1

    def attack() -> AbstractContextManager[None]:
        return paced(send, paged, per_second=per_second, connections=NUM_CONNECTIONS)

    require_others_go_on(Others(paged, scenario), attack, name=bodies.__name__)
    if per_second > 1:
        assert answers[429] > answers[200], f"it is read all the same: {answers}"


def key_of_an_attacker(stack: Stack) -> str:
    attacker = make_scenario(stack, f"attacker {database_now():%H%M%S}", [])
    _, secret = keys.create_api_key(
        user=User.objects.get(pk=attacker.user_id), name="Mine", created_at=database_now().replace(year=2024, day=1)
    )
    return secret
