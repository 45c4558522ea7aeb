"""`/api/schema`: every address for programs is described, and nothing else."""

import json
import re
from typing import Any

import yaml
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from pytest_django import Settings

from accounts.installation.brand import Brand
from accounts.installation.described import AUDIENCES
from tests.accounts.test_access_walk import project_patterns
from usage_dashboard.apidocs.generator import PREFIXES, Generator

METHODS = ("get", "post", "put", "patch", "delete")


def described() -> dict[str, Any]:
    found = json.loads(Client().get("/api/schema").content)
    assert isinstance(found, dict)
    return found


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, entry) for path, methods in described()["paths"].items() for method, entry in methods.items()
    ]


def test_every_address_for_programs_has_an_entry_and_every_entry_an_address() -> None:
    addresses = {"/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", pattern) for pattern in project_patterns()}
    assert set(described()["paths"]) == {address for address in addresses if address.startswith(PREFIXES)}


def test_it_is_openapi_3_1_in_json_and_in_yaml() -> None:
    found = described()
    validate_schema(found)
    assert found["openapi"] == "3.1.0"
    assert yaml.safe_load(Client().get("/api/schema.yaml").content) == found


def test_it_has_the_name_of_the_installation(settings: Settings) -> None:
    settings.BRAND = Brand("Northwind AI")
    found = Generator().get_schema(public=True)  # type: ignore[no-untyped-call] # the framework's
    assert found["info"]["title"] == "Northwind AI"


def test_nothing_had_to_be_guessed() -> None:
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        Generator().get_schema(public=True)  # type: ignore[no-untyped-call] # the framework's
    assert not GENERATOR_STATS


def test_every_entry_says_who_it_is_for_what_opens_it_and_what_it_answers() -> None:
    for path, method, entry in operations():
        assert method in METHODS
        assert entry["summary"], path
        assert entry["description"], path
        assert set(entry["tags"]) <= set(AUDIENCES), path
        assert entry["security"], path
        assert any(status.startswith("2") for status in entry["responses"]), path
        assert "401" in entry["responses"], path
        assert all(answer["description"] for answer in entry["responses"].values()), path


def test_names_of_entries_follow_from_method_and_address_and_are_different() -> None:
    names = [entry["operationId"] for _, _, entry in operations()]
    assert len(set(names)) == len(names)
    assert "get_organization_projects_by_public_id_api_keys" in names
    assert "post_usage_events" in names


def test_every_security_scheme_that_is_required_is_described() -> None:
    schemes = described()["components"]["securitySchemes"]
    required = {name for _, _, entry in operations() for one in entry["security"] for name in one}
    assert required == set(schemes)
