"""Requests that a fuzzer makes of the description: nothing fails, and every answer is as described."""

from time import monotonic
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from pytest_django import Settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from accounts.installation.described import CHECKING, OPERATOR, SENDING
from tests.engine import make_token
from tests.exports.openai_api.filled import fill, make_admin_key
from tests.usage_dashboard.apidocs.in_process import InProcess
from tests.world import World
from usage_dashboard.apidocs.generator import document

CONFIG = {"generation": {"with-security-parameters": False, "database": "none"}}
ADDRESS = "http://localhost"
NOT_ASKED = [ignored_auth, positive_data_acceptance]
"""Who may ask is the walk's (`tests/accounts/test_access_walk.py`). What is right in each part may be wrong together: an end
before its start, a key and its id."""
OF_EACH_ITEM = [negative_data_rejection]
"""Ways in answer 200 and refuse single items in their answer."""
SECONDS = 0.8
"""Of each address and each of the fuzzer's two ways (edges of each bound, and at random), so that all of it takes a minute."""
api = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig.from_dict(CONFIG))


@schemathesis.serializer("application/x-protobuf", "application/x-ndjson")
def as_bytes(ctx: object, value: object) -> bytes:
    """Bodies that the description leaves to others."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@pytest.fixture
def secrets(world: World, settings: Settings) -> dict[str, str]:
    """Of an installation with usage in it: what opens the addresses of each audience."""
    settings.ADMIN_KEY_REQUESTS_PER_MINUTE = 1_000_000
    settings.OPERATOR_TOKEN = "operator"
    fill(world, number=10)
    return {OPERATOR: "operator", **dict.fromkeys((SENDING, CHECKING), make_token()), "": make_admin_key(world.acme)}


began: dict[tuple[str, object], float] = {}


def has_had_its_time(case: Any) -> bool:
    now = monotonic()
    return now - began.setdefault((case.operation.label, case.meta.phase.name), now) > SECONDS


@api.parametrize()
@hypothesis.settings(max_examples=10, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_what_is_answered_is_as_described(case: Any, secrets: dict[str, str]) -> None:
    if has_had_its_time(case):
        return
    (audience,) = case.operation.tags
    authorization = {"Authorization": f"Bearer {secrets.get(audience, secrets[''])}"}
    excluded = [*NOT_ASKED, *(OF_EACH_ITEM if audience == SENDING else [])]
    with requests.Session() as session:
        session.mount(ADDRESS, InProcess())
        case.call_and_validate(base_url=ADDRESS, session=session, headers=authorization, excluded_checks=excluded)
