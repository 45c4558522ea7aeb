"""Budgets of projects, keys, users, models and attributes: who is told what, and once."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import Attribute, AuditEvent, Project
from accounts.periods import month_of, previous_month
from apikeys.keys import keys as key_changes
from apikeys.models import APIKey
from billing.alerts import Budget, BudgetAlert, BudgetKind, Delivery, Scope, WebhookEndpoint
from billing.budgets import budgets
from billing.budgets.budgets import BudgetRefusedError
from billing.budgets.checks import check, check_forecasts
from billing.notices import endpoints
from tests.billing.budgets.parts import COST, KINDS, real_world, scope_of, set_budget
from tests.money import ACTOR, set_price, use
from tests.usage.rollup_rows import add_usage, sku_of
from tests.world import World

NUM_WORKERS = 3


@pytest.mark.parametrize("kind", list(COST))
def test_each_threshold_of_a_part_is_told_once(spent: World, key: APIKey, kind: str) -> None:
    scope = scope_of(kind, spent, key)
    set_budget(spent.acme, scope, f"{COST[kind]}", hard=False)
    assert check() == 0
    told = BudgetAlert.objects.order_by("threshold")
    assert [(alert.scope, alert.threshold, alert.spent) for alert in told] == [
        (scope, 50, Decimal(COST[kind])),
        (scope, 100, Decimal(COST[kind])),
    ]
    budgets.remove_budget(spent.acme, scope=scope, actor=ACTOR)
    set_budget(spent.acme, scope, f"{COST[kind]}", hard=False)
    assert BudgetAlert.objects.count() == 2
    assert set_budget(spent.acme, scope, f"{COST[kind]}.01", (99,), hard=False)
    assert BudgetAlert.objects.count() == 3


def test_two_budgets_of_one_organization_are_told_apart(spent: World, key: APIKey) -> None:
    for kind in KINDS:
        set_budget(spent.acme, scope_of(kind, spent, key), thresholds=(100,))
    assert BudgetAlert.objects.count() == len(KINDS)
    subjects = sorted(Delivery.objects.values_list("subject", flat=True))
    month = f"{database_now():%B %Y}"
    assert subjects == sorted(
        f"Acme has used 100% of its budget for {about} for {month}"
        for about in ("project Search", "API key Laptop", "user Rita Rao", "model m", "attribute team: a")
    )


def test_webhooks_say_what_the_budget_is_about(spent: World, key: APIKey) -> None:
    WebhookEndpoint.objects.create(
        organization=spent.acme, url="http://127.0.0.1/", encrypted_secret=endpoints.seal("whsec_AAAA")
    )
    project = Project.objects.get(name="Search")
    for kind in KINDS:
        set_budget(spent.acme, scope_of(kind, spent, key), thresholds=(100,))
    set_budget(spent.acme, Scope(), thresholds=(100,))
    bodies = Delivery.objects.exclude(endpoint=None).order_by("pk").values_list("body", flat=True)
    assert [json.loads(body)["data"]["scope"] for body in bodies] == [
        {"kind": "project", "id": project.public_id, "name": "Search"},
        {"kind": "api_key", "id": key.public_id, "name": "Laptop"},
        {"kind": "user", "id": spent.rita.public_id, "name": "Rita Rao"},
        {"kind": "model", "id": "m", "name": "m"},
        {"kind": "attribute", "id": "team:a", "name": "team: a"},
        {"kind": "organization"},
    ]


def test_budgets_of_what_was_revoked_archived_or_withdrawn_stay_and_are_said_to_be(spent: World, key: APIKey) -> None:
    for kind in KINDS:
        set_budget(spent.acme, scope_of(kind, spent, key), thresholds=())
    with routing_change() as now:
        key_changes.revoke_api_key(api_key=key, now=now)
    Project.objects.filter(name="Search").update(archived_at=now)
    Attribute.objects.update(withdrawn_at=now)
    Budget.objects.update(thresholds=[100])
    assert check() == len(KINDS)


def test_changes_are_in_the_audit_log_with_what_they_are_about(spent: World, key: APIKey) -> None:
    scope = Scope(BudgetKind.API_KEY, key.pk)
    set_budget(spent.acme, scope)
    budgets.remove_budget(spent.acme, scope=scope, actor=ACTOR)
    assert not budgets.remove_budget(spent.acme, scope=scope, actor=ACTOR)
    events = AuditEvent.objects.filter(event__startswith="budget.").order_by("pk")
    assert [event.details["scope"]["id"] for event in events] == [key.public_id, key.public_id]


def test_an_organization_has_so_many_budgets_at_most(spent: World, key: APIKey, settings: Settings) -> None:
    settings.BUDGETS_MAX = 2
    set_budget(spent.acme, Scope())
    set_budget(spent.acme, Scope(BudgetKind.USER, spent.rita.pk))
    with pytest.raises(BudgetRefusedError, match="at most 2 budgets"):
        set_budget(spent.acme, Scope(BudgetKind.API_KEY, key.pk))
    set_budget(spent.acme, Scope(), "20")
    set_budget(spent.labs, Scope())
    assert Budget.objects.count() == 3


def test_a_part_that_is_expected_to_exceed_its_budget_is_told_of_once(world: World, key: APIKey) -> None:
    set_price("m", "0.01", start="2025-01-01")
    month = previous_month(month_of(database_now().date()))
    now = month.start_at + timedelta(days=14, hours=12)
    for number in range(1, 15):
        day = now.date() - timedelta(days=number)
        add_usage(world.acme, day, world.rita, key, sku_of("m"), input_tokens=100)
        use(world.acme, day, "m")
    set_budget(world.acme, Scope(BudgetKind.API_KEY, key.pk), "100", ())
    assert check_forecasts(now) == 0
    set_budget(world.acme, Scope(BudgetKind.API_KEY, key.pk), "20", ())
    assert check_forecasts(now) == 1
    assert check_forecasts(now) == 0
    assert "expected to exceed its budget for API key Laptop" in Delivery.objects.get().subject


@pytest.mark.django_db(transaction=True)
def test_owners_at_the_same_time_set_one_budget_and_stay_within_the_bound(settings: Settings) -> None:
    world, key, _ = real_world()
    settings.BUDGETS_MAX = 2
    scopes = [Scope(BudgetKind.API_KEY, key.pk), Scope(BudgetKind.USER, world.rita.pk), Scope()]
    together = Barrier(NUM_WORKERS * len(scopes))

    def work(number: int) -> None:
        try:
            together.wait()
            set_budget(world.acme, scopes[number % len(scopes)], f"{number + 1}")
        except BudgetRefusedError:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(NUM_WORKERS * len(scopes)) as pool:
        for done in [pool.submit(work, number) for number in range(NUM_WORKERS * len(scopes))]:
            done.result()
    found = [budget.scope for budget in Budget.objects.all()]
    assert len(found) == len(set(found)) == 2
