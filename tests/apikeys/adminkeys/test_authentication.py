"""Whom an admin key lets in, to what, and how often."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.db import IntegrityError, transaction
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.clock import database_now
from accounts.models import Organization
from apikeys.adminkeys.adminkeys import create_admin_key, revoke_admin_key
from apikeys.adminkeys.api import AdminView, InvalidRequestError
from apikeys.models import AdminKey
from tests.engine import make_event, make_key_and_secret, make_token, post
from tests.world import World

LIMIT = "x-ratelimit-limit-requests"
LEFT = "x-ratelimit-remaining-requests"


class Costs(AdminView):
    """An address that says what the key opens."""

    scope: ClassVar[str] = "costs"

    def get(self, request: Request) -> Response:
        if "wrong" in request.query_params:
            raise InvalidRequestError("It is wrong.", param="wrong")
        return Response([found.name for found in self.caller.organizations])


def make(organization: Organization, *scopes: str, **fields: Any) -> tuple[AdminKey, str]:
    return create_admin_key(
        organization=organization, name="Grafana", scopes=scopes or ["costs"], now=database_now(), **fields
    )


def ask(secret: str | None, query: str = "", **headers: str) -> Response:
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    answer = Costs.as_view()(RequestFactory().get(f"/v1/somewhere?{query}", headers=headers))
    assert isinstance(answer, Response)
    return answer


def code_of(answer: Response) -> str:
    assert set(answer.data["error"]) == {"message", "type", "param", "code"}
    return str(answer.data["error"]["code"])


def test_a_key_opens_its_organization_and_the_children_of_a_parent(world: World) -> None:
    assert ask(make(world.acme)[1]).data == ["Acme", "Acme Japan", "Acme Labs"]
    assert ask(make(world.labs)[1]).data == ["Acme Labs"]


def test_other_clients_send_the_key_in_another_header(world: World) -> None:
    assert ask(None, **{"X-Api-Key": make(world.labs)[1]}).data == ["Acme Labs"]


def test_every_other_secret_is_refused_with_one_answer(world: World) -> None:
    revoked, revoked_secret = make(world.acme)
    revoke_admin_key(admin_key=revoked, now=database_now())
    _, expired = make(world.acme, expires_at=database_now() - timedelta(seconds=1))
    secrets = (None, "", "x" * 10_000, "sk-admin-" + "a" * 40, revoked_secret, expired)
    others = (make_token(), make_key_and_secret(world.alice)[1])
    answers = [ask(secret) for secret in (*secrets, *others)]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    assert {code_of(answer) for answer in answers} == {"invalid_api_key"}
    assert len({str(answer.data) for answer in answers}) == 1
    assert not AdminKey.objects.filter(last_used_at__isnull=False).exists()


def test_an_admin_key_sends_no_events(world: World) -> None:
    assert post([make_event()], make(world.acme)[1]).status_code == 401


def test_a_key_without_the_scope_is_told_which_it_needs(world: World) -> None:
    answer = ask(make(world.acme, "usage", "members")[1])
    assert (answer.status_code, code_of(answer)) == (403, "missing_scope")
    assert "`costs`" in answer.data["error"]["message"]


def test_a_bad_parameter_is_named(world: World) -> None:
    answer = ask(make(world.acme)[1], "wrong=1")
    assert (answer.status_code, answer.data["error"]["param"], code_of(answer)) == (400, "wrong", "invalid_request")


def test_a_key_has_so_many_requests_a_minute_and_others_none_the_less(world: World, settings: Settings) -> None:
    settings.ADMIN_KEY_REQUESTS_PER_MINUTE = 2
    key, secret = make(world.acme)
    _, other = make(world.acme)
    AdminKey.objects.filter(pk=key.pk).update(  # the minute of the last request has passed
        minute_began_at=database_now().replace(second=0, microsecond=0) - timedelta(minutes=1), num_in_minute=2
    )
    answers = [ask(secret) for _ in range(7)]  # in two minutes at most
    assert (answers[0][LIMIT], answers[0][LEFT]) == ("2", "1")
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 3
    assert {code_of(answer) for answer in refused} == {"rate_limit_exceeded"}
    assert {answer[LEFT] for answer in refused} == {"0"}
    assert all(1 <= int(answer["Retry-After"]) <= 60 for answer in refused)
    assert ask(other).status_code == 200


def test_every_answer_has_an_id_of_its_own_and_is_kept_by_nobody(world: World) -> None:
    answers = [ask(make(world.acme)[1]), ask(None), ask(make(world.acme, "usage")[1])]
    assert len({answer["x-request-id"] for answer in answers}) == 3
    assert {answer["Cache-Control"] for answer in answers} == {"no-store"}


def test_the_last_use_is_noted(world: World) -> None:
    key, secret = make(world.acme)
    ask(secret)
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert abs(key.last_used_at - database_now()) < timedelta(minutes=1)


@pytest.mark.parametrize("scopes", [[], ["everything"]])
def test_the_database_keeps_no_key_without_known_scopes(world: World, scopes: list[str]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        create_admin_key(organization=world.acme, name="x", scopes=scopes, now=database_now())
