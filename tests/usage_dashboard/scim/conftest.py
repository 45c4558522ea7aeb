"""Identity providers of Acme and of Other, each with a token of its organization."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.clock import database_now
from accounts.models import Organization
from apikeys.scimtokens.scimtokens import create_scim_token
from tests.world import World
from usage_dashboard.models import MailDomain

Ask = Callable[..., Any]
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def asking(organization: Organization) -> Ask:
    """`ask("POST", "/Users", {...})` → the answer."""
    _, secret = create_scim_token(organization=organization, name="Okta", now=database_now())
    client = Client(headers={"authorization": f"Bearer {secret}"})

    def ask(method: str, path: str, body: Any = None, **query: str) -> Any:
        return client.generic(
            method,
            f"/scim/v2{path}",
            body if isinstance(body, bytes) else "" if body is None else json.dumps(body),
            content_type="application/scim+json",
            query_params=query,
        )

    return ask


@pytest.fixture
def acme(world: World) -> Ask:
    MailDomain.objects.create(organization=world.acme, name="acme.test")
    return asking(world.acme)


@pytest.fixture
def other(world: World) -> Ask:
    MailDomain.objects.create(organization=world.other, name="other.test")
    return asking(world.other)


def person(email: str, **said: Any) -> dict[str, Any]:
    return {"schemas": [USER], "userName": email, **said}


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(operations)}
