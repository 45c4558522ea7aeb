"""Requests that a fuzzer makes of the description: nothing fails, and every answer is as described."""

import json
from http import HTTPStatus
from time import monotonic
from typing import Any

import hypothesis
import msgspec
import pytest
import requests
import schemathesis
from pytest_django import Settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from accounts.installation.described import CHECKING, OPERATOR, PROVISIONING, SENDING
from tests.engine import make_token
from tests.exports.openai_api.filled import fill, make_admin_key
from tests.provisioning import operator
from tests.usage_dashboard.apidocs.in_process import InProcess
from tests.world import World
from usage_dashboard.apidocs.generator import document
from usage_dashboard.provisioning.lines import Status
from usage_dashboard.provisioning.shapes import BatchAnswer

CONFIG = {"generation": {"with-security-parameters": False, "database": "none"}}
ADDRESS = "http://localhost"
NOT_ASKED = [ignored_auth, positive_data_acceptance]
"""Who may ask is the walk's (`tests/accounts/test_access_walk.py`). What is right in each part may be wrong together: an end
before its start, a key and its id."""
OF_EACH_ITEM = [negative_data_rejection]
"""Ways in answer 200 and refuse single items in their answer, and so does a batch."""
BATCH = "/v1/operator/batch"
SECONDS = 0.8
"""Of each address and each of the fuzzer's two ways (edges of each bound, and at random), so that all of it takes a minute."""
api = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig.from_dict(CONFIG))


@schemathesis.serializer("application/x-protobuf", "application/x-ndjson")
def as_bytes(ctx: object, value: object) -> bytes:
    """Bodies that the description leaves to others as they are, and all else as one line of JSON."""
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()


def each_line_is_answered(ctx: object, response: Any, case: Any) -> None:
    """A check of a batch: every answer has the described shape, and what is not as described is refused."""
    if response.status_code != HTTPStatus.OK or case.method != "POST":
        return
    answers = [msgspec.json.decode(line, type=BatchAnswer) for line in response.content.splitlines()]
    assert answers
    for answer in answers:
        assert ("error" in answer) == (answer["status"] == Status.REFUSED)
        assert answer["status"] == Status.REFUSED or not case.meta.is_negative_at(ParameterLocation.BODY)


@pytest.fixture
def secrets(world: World, settings: Settings) -> dict[str, str]:
    """Of an installation with usage in it: what opens the addresses of each audience."""
    settings.ADMIN_KEY_REQUESTS_PER_MINUTE = 1_000_000
    settings.OPERATOR_TOKEN_REQUESTS_PER_MINUTE = 1_000_000
    settings.OPERATOR_TOKEN = "operator"
    fill(world, number=10)
    tokens = {OPERATOR: "operator", PROVISIONING: operator().secret, **dict.fromkeys((SENDING, CHECKING), make_token())}
    return {**tokens, "": make_admin_key(world.acme)}


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
    is_batch = case.operation.path == BATCH
    excluded = [*NOT_ASKED, *(OF_EACH_ITEM if audience == SENDING or is_batch else [])]
    also = [each_line_is_answered] if is_batch else []
    with requests.Session() as session:
        session.mount(ADDRESS, InProcess())
        case.call_and_validate(
            base_url=ADDRESS, session=session, headers=authorization, additional_checks=also, excluded_checks=excluded
        )
