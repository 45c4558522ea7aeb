"""Key coverage: which members' keys are visible here, which not and why, and asking at most once a week."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.audit.audit import Actor
from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import AuditEvent, Organization, User
from accounts.organizations import organizations
from apikeys.coverage import coverage
from apikeys.keys import keys
from apikeys.models import APIKey, VisibilityRequest
from metering.measures import MEASURES
from metering.models import MonthlyUsage
from tests.usage.rollup_rows import sku_of
from tests.world import World, join

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/keys/"
NEW = datetime(2026, 11, 1, tzinfo=UTC)
OLD = datetime(2023, 6, 1, tzinfo=UTC)


def make_key(user: User, name: str, created_at: datetime = NEW) -> APIKey:
    return keys.create_api_key(user=user, name=name, created_at=created_at)[0]


def use(organization: Organization, user: User, key: APIKey | None, requests: int) -> None:
    amounts = {**dict.fromkeys(MEASURES, 0), "num_model_requests": requests}
    MonthlyUsage.objects.create(
        organization_id=organization.pk,
        month=database_now().date().replace(day=1),
        user_id=user.pk,
        api_key_id=key.pk if key else 0,
        sku_id=sku_of("gpt-4o").pk,
        **amounts,
    )


def ask(client: Client, user: User) -> str:
    client.post(f"{PAGE}requests/{user.public_id}/")
    return client.get(PAGE).content.decode()


def test_keys_are_visible_untracked_or_elsewhere(world: World, client_of: SignIn) -> None:
    make_key(world.rita, "shown here")
    make_key(world.rita, "too old", OLD)
    join(world.charlie, world.acme, role="reader")
    make_key(world.charlie, "private matter")
    revoked = make_key(world.rita, "gone")
    keys.revoke_api_key(api_key=revoked, now=NEW)
    page = client_of(world.bob).get(PAGE)
    html = page.content.decode()
    assert (page.context["num_visible"], page.context["num_hidden"]) == (1, 2)
    assert "shown here" in html
    assert "too old" in html
    assert "tracking is off" in html
    assert "1 key reports to another default organization" in html
    assert "private matter" not in html
    assert "gone" not in html


def test_the_share_of_untracked_usage_is_this_months(world: World, client_of: SignIn) -> None:
    use(world.acme, world.rita, make_key(world.rita, "Laptop"), 30)
    use(world.acme, world.bob, None, 10)
    use(world.other, world.charlie, None, 999)
    page = client_of(world.bob).get(PAGE)
    assert (page.context["requests"], page.context["share"], page.context["num_callers"]) == ("40 requests", "25.0%", 2)


def test_without_usage_there_is_no_share(world: World, client_of: SignIn) -> None:
    assert client_of(world.bob).get(PAGE).context["share"] == "–"


def test_the_page_needs_the_same_queries_however_many_keys_there_are(
    world: World, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(40):
        make_key((world.rita, world.bob, world.alice)[number % 3], f"key {number}")
    client = client_of(world.bob)
    with django_assert_max_num_queries(12):
        client.get(PAGE)


def test_a_member_is_asked_by_email_once_a_week_and_it_is_logged(world: World, client_of: SignIn) -> None:
    make_key(world.rita, "too old", OLD)
    assert "Email sent to Rita Rao" in ask(client_of(world.bob), world.rita)
    (message,) = mail.outbox
    assert message.to == ["rita@acme.test"]
    assert "too old" in str(message.body)
    assert "/settings/api-keys/" in str(message.body)
    assert "was asked within the last seven days" in ask(client_of(world.alice), world.rita)
    assert len(mail.outbox) == 1
    event = AuditEvent.objects.get(event="api_key.visibility_requested")
    assert (event.actor, event.target_id) == (world.bob, world.rita.public_id)


def test_after_a_week_one_may_ask_again(world: World) -> None:
    now = database_now()
    actor = Actor(user=world.bob, name="bob")
    coverage.ask(organization=world.acme, user=world.rita, actor=actor, now=now - timedelta(days=7, seconds=1))
    with pytest.raises(coverage.AskedRecentlyError):
        coverage.ask(organization=world.labs, user=world.rita, actor=actor, now=now - timedelta(seconds=2))
    coverage.ask(organization=world.acme, user=world.rita, actor=actor, now=now)
    coverage.ask(organization=world.acme, user=world.alice, actor=actor, now=now)


def test_the_database_refuses_a_second_request_within_a_week(world: World) -> None:
    row = {"organization": world.acme, "user": world.rita, "asked_at": NEW}
    VisibilityRequest.objects.create(**row)
    with pytest.raises(IntegrityError), transaction.atomic():
        VisibilityRequest.objects.create(**{**row, "asked_at": NEW + timedelta(days=6, hours=23)})


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_at_once_ask_once() -> None:
    with routing_change() as now:
        users = [organizations.create_user(email=f"rita{number}@example.test", now=now) for number in range(30)]
    together = Barrier(4, timeout=30)

    def try_to_ask(_number: int) -> int:
        """How many of the users this caller asked: all four ask about each user at once."""
        num_asked = 0
        try:
            for user in users:
                assert user.default_organization is not None
                together.wait()
                with suppress(coverage.AskedRecentlyError):
                    coverage.ask(organization=user.default_organization, user=user, actor=Actor(), now=NEW)
                    num_asked += 1
        finally:
            connection.close()
        return num_asked

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(try_to_ask, range(4))) == len(users)


def test_who_is_covered_is_not_bothered(world: World, client_of: SignIn) -> None:
    make_key(world.rita, "shown here")
    assert "already shown here by name" in ask(client_of(world.bob), world.rita)
    assert not mail.outbox


def test_an_outsider_is_not_asked(world: World, client_of: SignIn) -> None:
    make_key(world.charlie, "theirs")
    assert client_of(world.bob).post(f"{PAGE}requests/{world.charlie.public_id}/").status_code == 404
