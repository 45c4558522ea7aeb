"""Programs of the operator's, for tests: a token, and what it sends to the provisioning API."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from accounts.clock import database_now
from apikeys.models import OperatorToken
from apikeys.operatortokens.operatortokens import create_operator_token

ALL = tuple(OperatorToken.Scope.values)


@dataclass
class Operator:
    """A program with an operator token. What it is answered is the status and the JSON."""

    secret: str
    client: Client = field(default_factory=Client)

    def ask(self, method: str, path: str, data: object = None, **headers: str) -> tuple[int, Any]:
        body = b"" if data is None else data if isinstance(data, bytes) else json.dumps(data).encode()
        answer = self.client.generic(
            method,
            f"/v1/operator/{path}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.secret}", **headers},
        )
        return answer.status_code, json.loads(answer.content)

    def get(self, path: str) -> tuple[int, Any]:
        return self.ask("GET", path)

    def put(self, path: str, **data: object) -> tuple[int, Any]:
        return self.ask("PUT", path, data)

    def end(self, path: str, **data: object) -> tuple[int, Any]:
        return self.ask("DELETE", f"{path}?{urlencode(data)}")

    def made(self, path: str, **data: object) -> dict[str, Any]:
        """What a PUT made or changed, which must go well."""
        status, found = self.put(path, **data)
        assert status in (200, 201), found
        assert isinstance(found, dict)
        return found


def operator(*scopes: str) -> Operator:
    """A program whose token has these scopes, or all."""
    _, secret = create_operator_token(name="CRM", scopes=scopes or ALL, now=database_now())
    return Operator(secret)


def refusal(answer: tuple[int, Any]) -> tuple[int, str]:
    """(status, code) of an error, which has our shape."""
    status, body = answer
    assert set(body) == {"error"}, body
    assert {"code", "message", "request_id"} <= set(body["error"])
    return status, str(body["error"]["code"])
