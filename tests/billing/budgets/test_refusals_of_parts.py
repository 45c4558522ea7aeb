"""Which keys are refused for what, while a hard budget of a project, key, user, model or attribute is spent."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.clock import database_now
from accounts.models import Attribute, Organization, Project
from accounts.periods import month_of, previous_month
from apikeys import directory
from apikeys.models import APIKey, KeyAttribution
from billing.alerts import BudgetAlert, BudgetKind, Scope
from billing.budgets import blocks, budgets
from billing.budgets.checks import check
from billing.prices import rating
from metering.attribution_models import AttributeValue
from metering.models import Model
from tests.billing.budgets.parts import add_value, real_world, scope_of, set_budget
from tests.engine import make_event, make_key, send
from tests.money import ACTOR, set_price, use
from tests.usage.rollup_rows import add_usage, sku_of
from tests.world import LONG_AGO, World

ADDRESS = "/v1/keys/verify"


def ask(token: str, **question: object) -> dict[str, Any]:
    response = Client().post(
        ADDRESS, json.dumps(question), content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    )
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = json.loads(response.content)
    return answer


def carry(key: APIKey, project: Project | None, **attributes: str) -> None:
    KeyAttribution.objects.create(
        api_key=key,
        organization=Organization.objects.get(slug="acme"),
        project=project,
        attributes=attributes,
        effective_at=database_now() - timedelta(seconds=1),
    )
    directory.forget()


def test_a_spent_key_is_refused_and_others_are_not(spent: World, key: APIKey, token: str) -> None:
    other = make_key(spent.rita, "other")
    set_budget(spent.acme, Scope(BudgetKind.API_KEY, key.pk))
    answer = ask(token, api_key_id=key.public_id)
    assert (answer["valid"], answer["allowed"], answer["reason"], answer["budget"]) == (
        True,
        False,
        "budget_exhausted",
        "api_key",
    )
    assert answer["message"].startswith("The organization's budget of $10.00 for API key Laptop for ")
    assert ask(token, api_key_id=other.public_id)["allowed"]


def test_a_spent_user_is_refused_with_every_key(spent: World, key: APIKey, token: str) -> None:
    other, of_alice = make_key(spent.rita, "other"), make_key(spent.alice)
    set_budget(spent.acme, Scope(BudgetKind.USER, spent.rita.pk))
    assert [ask(token, api_key_id=found.public_id)["allowed"] for found in (key, other, of_alice)] == [
        False,
        False,
        True,
    ]


def test_a_spent_model_is_refused_where_it_is_named_and_others_are_not(spent: World, key: APIKey, token: str) -> None:
    set_budget(spent.acme, scope_of("model", spent, key))
    assert ask(token, api_key_id=key.public_id)["allowed"]
    assert ask(token, api_key_id=key.public_id, model="n")["allowed"]
    refused = ask(token, api_key_id=key.public_id, model="m")
    assert (refused["allowed"], refused["budget"]) == (False, "model")
    assert ask(token, api_key_id=key.public_id, model="")["allowed"]


def test_a_spent_project_is_refused_to_keys_that_carry_it_unless_another_is_named(
    spent: World, key: APIKey, token: str
) -> None:
    search = Project.objects.get(name="Search")
    default = Project.objects.get(is_default=True)
    set_budget(spent.acme, Scope(BudgetKind.PROJECT, search.pk))
    assert ask(token, api_key_id=key.public_id)["allowed"]
    assert ask(token, api_key_id=key.public_id, project=search.public_id)["budget"] == "project"
    carry(key, search)
    assert ask(token, api_key_id=key.public_id)["budget"] == "project"
    assert ask(token, api_key_id=key.public_id, project=default.public_id)["allowed"]


def test_a_spent_default_project_is_refused_to_keys_that_carry_no_other(spent: World, key: APIKey, token: str) -> None:
    set_budget(spent.acme, scope_of("default_project", spent, key))
    assert not ask(token, api_key_id=key.public_id)["allowed"]
    carry(key, Project.objects.get(name="Search"))
    assert ask(token, api_key_id=key.public_id)["allowed"]


@pytest.mark.parametrize("whose", ["other", "nobody"])
def test_a_project_that_the_organization_has_not_is_refused(spent: World, key: APIKey, token: str, whose: str) -> None:
    project = Project.objects.create(organization=spent.other, name="Theirs")
    answer = ask(token, api_key_id=key.public_id, project=project.public_id if whose == "other" else "proj_nobody")
    assert (answer["valid"], answer["allowed"], answer["reason"]) == (True, False, "unknown_project")


def test_a_spent_value_is_refused_to_keys_that_carry_it_unless_another_is_said(
    spent: World, key: APIKey, token: str
) -> None:
    set_budget(spent.acme, Scope(BudgetKind.ATTRIBUTE, value="team:a"))
    assert ask(token, api_key_id=key.public_id)["allowed"]
    assert ask(token, api_key_id=key.public_id, attributes={"team": "a"})["budget"] == "attribute"
    carry(key, None, team="a")
    assert not ask(token, api_key_id=key.public_id)["allowed"]
    assert not ask(token, api_key_id=key.public_id, attributes={"team": "", "tier": "b"})["allowed"]
    assert ask(token, api_key_id=key.public_id, attributes={"team": "b"})["allowed"]
    Attribute.objects.update(withdrawn_at=database_now())  # events say nothing of it any more
    directory.forget()
    assert ask(token, api_key_id=key.public_id)["allowed"]


@pytest.mark.parametrize("attributes", [{"team": 7}, {"team": ["a"]}, {"team": "x" * 65}, {"team": "a\nb"}])
def test_values_that_an_event_is_refused_for_are_refused(
    spent: World, key: APIKey, token: str, attributes: object
) -> None:
    answer = ask(token, api_key_id=key.public_id, attributes=attributes)
    assert (answer["valid"], answer["allowed"], answer["reason"]) == (True, False, "invalid_attribute")


@pytest.mark.parametrize("attributes", [{}, None, {"team": None}, {"": "a"}, {"nobody": 7}])
def test_what_says_nothing_of_a_value_is_not_refused(spent: World, key: APIKey, token: str, attributes: object) -> None:
    set_budget(spent.acme, Scope(BudgetKind.ATTRIBUTE, value="team:a"))
    assert ask(token, api_key_id=key.public_id, attributes=attributes)["allowed"]


def test_a_parents_budget_of_a_user_or_value_covers_its_children(spent: World, key: APIKey, token: str) -> None:
    set_budget(spent.acme, Scope(BudgetKind.ATTRIBUTE, value="team:a"), "15")
    assert not BudgetAlert.objects.filter(threshold=100).exists()
    labs_team = Attribute.objects.create(organization=spent.labs, name="team", title="Team", declared_at=LONG_AGO)
    add_value(spent.labs, labs_team.pk, AttributeValue.objects.get(value="a").pk, 500)
    use(spent.labs, database_now().date(), "m", input_tokens=500)
    assert check([spent.labs.pk]) == 1
    key.user.memberships.create(organization=spent.labs, role="reader", joined_at=LONG_AGO)
    directory.forget()
    blocks.forget()
    answer = ask(token, api_key_id=key.public_id, organization=spent.labs.public_id, attributes={"team": "a"})
    assert answer["message"].startswith("The paying organization's budget of $15.00 for attribute team: a")


def test_a_parents_spent_project_refuses_nothing_to_its_children(spent: World, key: APIKey, token: str) -> None:
    """Both have a default project, in which usage is that says no other; each is its own organization's alone."""
    set_budget(spent.acme, scope_of("default_project", spent, key))
    set_budget(spent.acme, scope_of("project", spent, key))
    assert ask(token, api_key_id=key.public_id)["budget"] == "project"
    key.user.memberships.create(organization=spent.labs, role="reader", joined_at=LONG_AGO)
    directory.forget()
    assert ask(token, api_key_id=key.public_id, organization=spent.labs.public_id)["allowed"]
    own = Project.objects.create(organization=spent.labs, name="Default project", is_default=True)
    use(spent.labs, database_now().date(), "m", input_tokens=1)
    set_budget(spent.labs, Scope(BudgetKind.PROJECT, own.pk), "0.01")
    answer = ask(token, api_key_id=key.public_id, organization=spent.labs.public_id)
    assert answer["message"].startswith("The organization's budget of $0.01 for project Default project")


def test_a_childs_budget_does_not_reach_its_parent(spent: World, key: APIKey, token: str) -> None:
    set_budget(spent.labs, Scope(BudgetKind.USER, spent.rita.pk), "0.01")
    assert ask(token, api_key_id=key.public_id)["allowed"]


def test_a_raised_or_removed_budget_lets_the_key_in_at_once(spent: World, key: APIKey, token: str) -> None:
    scope = Scope(BudgetKind.API_KEY, key.pk)
    set_budget(spent.acme, scope)
    assert not ask(token, api_key_id=key.public_id)["allowed"]
    set_budget(spent.acme, scope, "10.01")
    assert ask(token, api_key_id=key.public_id)["allowed"]
    set_budget(spent.acme, scope, "9")
    assert not ask(token, api_key_id=key.public_id)["allowed"]
    budgets.remove_budget(spent.acme, scope=scope, actor=ACTOR)
    assert ask(token, api_key_id=key.public_id)["allowed"]


def test_the_turn_of_the_month_lets_the_key_in(world: World, key: APIKey, token: str) -> None:
    last = previous_month(month_of(database_now().date())).start
    set_price("m", "0.01", start="2025-01-01")
    add_usage(world.acme, last, world.rita, key, sku_of("m"), input_tokens=5_000)
    use(world.acme, last, "m")
    set_budget(world.acme, Scope(BudgetKind.API_KEY, key.pk))
    assert ask(token, api_key_id=key.public_id)["allowed"]
    assert check(now=month_of(last).end_at - timedelta(seconds=1)) == 2
    assert check(now=month_of(last).end_at) == 0


@pytest.mark.django_db(transaction=True)
def test_a_hard_budget_refuses_within_five_seconds_of_the_event(settings: Settings) -> None:
    world, key, token = real_world()
    set_budget(world.acme, Scope(BudgetKind.MODEL, Model.objects.get(name="m").pk), "1")
    assert ask(token, api_key_id=key.public_id, model="m")["allowed"]
    event = make_event(
        model="m", api_key_id=key.public_id, timestamp=database_now(), input_tokens=100, output_tokens=None
    )
    assert send([event], token) == ["accepted"]
    rating.catch_up()  # as the worker does every ROLL_UP_INTERVAL_SECONDS
    time.sleep(blocks.REMEMBERED_SECONDS)
    assert not ask(token, api_key_id=key.public_id, model="m")["allowed"]
    assert settings.ROLL_UP_INTERVAL_SECONDS + blocks.REMEMBERED_SECONDS < 4  # the rest is for the work itself
    assert ask(token, api_key_id=key.public_id, model="another")["allowed"]
