"""`POST /v1/usage/responses`: what is small on the way and huge once it is read costs little more than honest answers do."""

import contextlib
import json
from typing import Final

import pytest

from metering.intake.formats.events import UnreadableError
from metering.intake.formats.items import MAX_EVENTS
from metering.intake.sources import responses
from tests.metering.intake.test_large_bodies import BOMBS, LARGEST, MOST_TIMES_HONEST, seconds_of

ITEM: Final = {"provider": "openai", "timestamp": "2026-11-22T12:03:05.250Z", "api_key_id": "key_1", "id": "x"}
HEAD: Final = json.dumps(ITEM)[:-1].encode()
WITHIN: Final = {
    f"{name} within an item": b"[" + HEAD + b', "response": ' + bomb[: LARGEST - 200] + b"}]"
    for name, bomb in BOMBS.items()
    if name not in ("lines", "lines with something")
}


def honest() -> bytes:
    """A body of the same size, with as many answers as it may have."""
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    answer = {
        "id": "chatcmpl-1",
        "model": "gpt-4o",
        "choices": [{"message": {"content": "word, " * 120}}],
        "usage": usage,
    }
    return json.dumps([ITEM | {"response": answer}] * (MAX_EVENTS - 1)).encode()


def decode(body: bytes) -> None:
    for lines in (False, True):
        with contextlib.suppress(UnreadableError):
            responses.decode(body, lines=lines)


@pytest.mark.parametrize("name", [*BOMBS, *WITHIN])
def test_reading_it_takes_little_longer_than_honest_answers_of_the_same_size(name: str) -> None:
    body = BOMBS.get(name) or WITHIN[name]
    limit = seconds_of(lambda: decode(honest()))
    taken = seconds_of(lambda: decode(body))
    assert taken <= limit * MOST_TIMES_HONEST, f"{taken / limit:.1f} times as long"
