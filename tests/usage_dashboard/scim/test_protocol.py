"""`/scim/v2`: the protocol, as an independent client checks it, and whom the door lets in."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from pytest_django import Settings
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import Status, check_server

from accounts.clock import database_now
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.models import ScimToken
from apikeys.scimtokens.scimtokens import create_scim_token, revoke_scim_token
from tests.usage_dashboard.scim.conftest import GROUP, Ask, patch, person
from tests.world import World


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """The tests' own connection, with the world in it, stays open behind a request of WSGI."""
    request_finished.disconnect(close_old_connections)
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def get(secret: str, path: str = "/Users") -> int:
    return Client(headers={"authorization": f"Bearer {secret}"}).get(f"/scim/v2{path}").status_code


def test_an_independent_checker_finds_nothing_wrong(world: World, settings: Settings, kept_connection: None) -> None:
    """Its invented people have no mail address of Acme's, so of its checks of changes those of groups are run."""
    _, secret = create_scim_token(organization=world.acme, name="x", now=database_now())
    client = WSGISCIMClient(
        get_wsgi_application(),
        base_url=f"{settings.SITE_ADDRESS}/scim/v2",
        headers={"Authorization": f"Bearer {secret}"},
    )
    results = check_server(client, include_tags={"discovery", "misc"})
    assert len(results) > 5
    wrong = [(found.title, found.reason) for found in results if found.status in {Status.ERROR, Status.CRITICAL}]
    assert wrong == []


def test_without_a_token_of_the_kind_nothing_is_answered(world: World) -> None:
    _, admin_key = create_admin_key(organization=world.acme, name="x", scopes=["members"], now=database_now())
    for secret in ("", "scim-nobody", admin_key):
        assert get(secret) == 401
        assert get(secret, "/ServiceProviderConfig") == 401


def test_a_token_ends_when_it_is_revoked_or_expired_or_its_organization_ends(world: World) -> None:
    now = database_now()
    token, secret = create_scim_token(organization=world.acme, name="x", now=now)
    assert get(secret) == 200
    ScimToken.objects.update(expires_at=now)
    assert get(secret) == 401
    ScimToken.objects.update(expires_at=None)
    world.acme.ended_at = now
    world.acme.save(update_fields=["ended_at"])
    assert get(secret) == 403
    revoke_scim_token(token=token, now=now)
    assert get(secret) == 401


def test_a_token_has_a_limit_in_a_minute(world: World, settings: Settings) -> None:
    settings.SCIM_REQUESTS_PER_MINUTE = 2
    _, secret = create_scim_token(organization=world.acme, name="x", now=database_now())
    client = Client(headers={"authorization": f"Bearer {secret}"})
    answers = [client.get("/scim/v2/Users") for _ in range(4)]
    assert 429 in {answer.status_code for answer in answers}
    assert answers[-1]["Retry-After"]


@pytest.mark.parametrize("path", ["", "/", "/Nothing", "/Bulk", "/Me", "/Users/", "/../admin/", "/Users/x/y"])
def test_every_address_answers_as_scim_does(world: World, acme: Ask, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        answer = acme(method, path)
        assert answer.status_code < 500 or answer.status_code == 501
        assert answer["Content-Type"].startswith(("application/scim+json", "application/json"))


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"])
@pytest.mark.parametrize("at", ["displayName", "title", "externalId", "userName", "name", "emails"])
def test_text_that_cannot_be_kept_is_refused(world: World, acme: Ask, at: str, bad: str) -> None:
    value = {"name": {"familyName": bad}, "emails": [{"value": bad}]}.get(at, bad)
    for method, path in (("POST", "/Users"), ("PUT", f"/Users/{world.rita.public_id}")):
        refuses(acme(method, path, person("nora@acme.test") | {at: value}), "invalidValue")
    change = patch({"op": "replace", "path": at, "value": value})
    refuses(acme("PATCH", f"/Users/{world.rita.public_id}", change), "invalidValue")


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b", "x" * 300])
def test_a_group_with_text_that_cannot_be_kept_is_refused(world: World, acme: Ask, bad: str) -> None:
    for said in ({"displayName": bad}, {"externalId": bad}, {"members": [{"value": bad}]}):
        refuses(acme("POST", "/Groups", {"schemas": [GROUP], "displayName": "Platform"} | said), "invalidValue")


@pytest.mark.parametrize("bad", [r"\ud800", r"\u0000"])
@pytest.mark.parametrize(
    "asked", ['userName eq "{}"', 'externalId eq "{}"', 'displayName eq "{}"', 'id eq "{}" or title co "{}"']
)
def test_a_filter_by_text_that_cannot_be_kept_is_refused_or_finds_nothing(
    world: World, acme: Ask, asked: str, bad: str
) -> None:
    for path in ("/Users", "/Groups"):
        answer = acme("GET", path, filter=asked.replace("{}", bad))
        assert answer.status_code in {200, 400}
        assert answer.status_code == 400 or answer.json()["totalResults"] == 0
    refuses(acme("GET", "/Users", filter=f'userName eq "{bad}"'), "invalidFilter")


@pytest.mark.parametrize("start", ["99999999999999999999", "9223372036854775807", "2147483648"])
def test_a_page_beyond_the_last_is_empty(world: World, acme: Ask, start: str) -> None:
    for query in ({}, {"filter": 'userName sw "r"'}):
        page = acme("GET", "/Users", startIndex=start, **query).json()
        assert (page.get("Resources") or [], page["totalResults"] > 0) == ([], True)


def test_a_body_that_is_too_large_is_refused_as_scim_does(world: World, acme: Ask, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    refused = acme("POST", "/Users", person("nora@acme.test", title="x" * 2_000))
    assert refused.status_code == 413
    assert refused["Content-Type"] == "application/scim+json"
    assert refused.json()["status"] == "413"


def refuses(answer: Any, kind: str) -> None:
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"].startswith("application/scim+json")
    assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert answer.json().get("scimType") in {kind, "invalidSyntax"}
