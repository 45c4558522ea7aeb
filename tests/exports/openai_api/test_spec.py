"""Every answer has the form of the vendor's published schema (`openai-usage-openapi.yaml` beside this file, MIT licence)."""

import itertools
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from exports.openai_api.endpoints import COSTS, USAGE, Endpoint
from tests.exports.openai_api.filled import ask, fill, make_admin_key, results_of
from tests.world import World
from usage_dashboard.apidocs.generator import document

SPEC = Path(__file__).with_name("openai-usage-openapi.yaml")


@cache
def validator(schema: str) -> Draft202012Validator:
    spec = yaml.safe_load(SPEC.read_text())
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": spec["components"]})


def assert_valid(answer: Any, schema: str) -> None:
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in validator(schema).iter_errors(answer)]
    assert errors == []


@cache
def own_validator(path: str) -> Draft202012Validator:
    """Of our own description, which is closer than the vendor's."""
    found = document()
    schema = found["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": found["components"]})


def assert_as_described(answer: Any, path: str) -> None:
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in own_validator(path).iter_errors(answer)]
    assert errors == []


def of_their_kind(schema: str) -> dict[str, str]:
    """The name of a result's own schema by its `object`, which the published one tells them apart by."""
    spec = yaml.safe_load(SPEC.read_text())["components"]["schemas"]
    names = [one["$ref"].rpartition("/")[2] for one in spec[schema]["properties"]["results"]["items"]["oneOf"]]
    return {spec[name]["properties"]["object"]["enum"][0]: name for name in names}


@pytest.mark.parametrize("endpoint", [*USAGE, COSTS], ids=lambda endpoint: endpoint.name)
def test_pages_of_every_width_and_combination_of_groups_are_valid(world: World, endpoint: Endpoint) -> None:
    filled, secret = fill(world, seed=random.randrange(10**6), number=60), make_admin_key(world.acme)
    address = endpoint.name if endpoint is COSTS else f"usage/{endpoint.name}"
    known = [group for group in endpoint.groups if group != "api_source"]
    combinations = [groups for number in range(len(known) + 1) for groups in itertools.combinations(known, number)]
    kinds, num_results = of_their_kind("UsageTimeBucket"), 0
    for groups in (*combinations, endpoint.groups):
        for width in endpoint.limits:
            query = {"start_time": filled.start, "bucket_width": width, "group_by[]": list(groups), "limit": 31}
            if width != "1d":
                query |= {"end_time": filled.start + 86_400, "limit": 60 if width == "1m" else 24}
            page = json.loads(ask(secret, address, query).content)
            assert_valid(page, "UsageResponse")
            assert_as_described(page, f"/v1/organization/{address}")
            for result in results_of([page]):
                assert_valid(result, kinds[result["object"]])
                num_results += 1
    assert num_results > 0


def test_lists_are_valid(world: World) -> None:
    secret = make_admin_key(world.acme)
    fill(world, number=10)
    for address, schema in (("users", "UserListResponse"), ("admin_api_keys", "ApiKeyList")):
        answer = json.loads(ask(secret, address).content)
        assert_valid(answer, schema)
        assert_as_described(answer, f"/v1/organization/{address}")
        assert answer["data"]
    for address, schema in (("users", "User"), ("admin_api_keys", "AdminApiKey")):
        one = json.loads(ask(secret, address).content)["data"][0]
        assert_valid(json.loads(ask(secret, f"{address}/{one['id']}").content), schema)


def test_errors_are_valid(world: World) -> None:
    secret = make_admin_key(world.acme)
    for answer in (ask(secret, "costs"), ask("x", "costs"), ask(secret, "users/never"), ask(secret, "spend_limit")):
        assert answer.status_code >= 400
        assert_valid(json.loads(answer.content), "ErrorResponse")
