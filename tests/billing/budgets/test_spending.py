"""What counts against a budget is what its part of the usage cost: by hand, and as the Cost page with the same filter says."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.http import QueryDict
from pytest_django import DjangoAssertNumQueries

from accounts.access import open_as_member
from accounts.clock import database_now
from accounts.models import Attribute, Organization, Project
from accounts.periods import Period, one_day
from apikeys.models import APIKey
from billing.alerts import Budget, BudgetKind, Scope
from billing.budgets.spending import daily_costs, spent_on
from billing.cost.queries import spending
from metering.attribution_models import OTHER, PROJECT, AttributeValue, Attribution, AttributionPart
from metering.models import Model, UsageEvent
from metering.pages.filter_form import read_filter_form
from metering.usage.groupings import View
from metering.usage.queries import UsageQuery
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.money import set_price
from tests.world import World, join

DAYS = 12
PRICES = {"cheap": Decimal("0.0000031"), "dear": Decimal("0.00007")}
LATER = Decimal("0.00011")
"""What `dear` costs from the sixth day on."""


@dataclass(frozen=True)
class Used:
    """One event, as it was sent: the oracle adds these up."""

    organization: Organization
    key: APIKey
    model: str
    day: date
    amount: Decimal
    project: Project | None
    values: dict[str, str]


@dataclass(frozen=True)
class Story:
    """Random usage of Acme and Acme Labs in their projects and attributes."""

    world: World
    keys: Sequence[APIKey]
    projects: Mapping[Organization, Sequence[Project]]
    used: Sequence[Used]
    period: Period


@pytest.fixture(params=[1, 2, 3])
def story(world: World, request: pytest.FixtureRequest) -> Story:
    order = random.Random(request.param)
    join(world.rita, world.labs, role="reader")
    keys = [make_key(user, name) for user in (world.alice, world.rita) for name in ("one", "two")]
    changed = days_ago(6).date()
    for model, price in PRICES.items():
        set_price(model, str(price))
    set_price("dear", str(LATER), start=f"{changed}")
    projects = {found: _projects(found) for found in (world.acme, world.labs)}
    used = [_random_use(order, world, keys, projects, changed) for _ in range(120)]
    _send(used)
    return Story(world, keys, projects, used, Period(days_ago(DAYS).date(), days_ago(-1).date()))


def test_a_budget_of_any_part_counts_what_the_part_cost(story: Story) -> None:
    world = story.world
    scopes = [Scope()]
    scopes += [Scope(BudgetKind.API_KEY, key.pk) for key in story.keys]
    scopes += [Scope(BudgetKind.USER, user.pk) for user in (world.alice, world.rita, world.bob)]
    scopes += [Scope(BudgetKind.MODEL, Model.objects.get(name=name).pk) for name in (*PRICES, "free")]
    scopes += [
        Scope(BudgetKind.ATTRIBUTE, value=value) for value in ("team:search", "team:a:b", "team:x", "tier:search")
    ]
    for organization in (world.acme, world.labs, world.other):
        own = [Scope(BudgetKind.PROJECT, project.pk) for project in story.projects.get(organization, ())]
        budgets = [_budget(organization, scope) for scope in (*scopes, *own)]
        amounts = spent_on(budgets, story.period)
        days = daily_costs(budgets, story.period)
        for budget in budgets:
            expected = _by_hand(story, budget)
            assert amounts[budget.pk] == sum(expected.values(), Decimal(0)), budget
            assert {day: amount for day, amount in days[budget.pk].items() if amount} == expected, budget
    assert any(used.amount for used in story.used)


def test_projects_and_the_default_one_add_up_to_the_organization(story: Story) -> None:
    for organization, projects in story.projects.items():
        parts = spent_on(
            [_budget(organization, Scope(BudgetKind.PROJECT, found.pk)) for found in projects], story.period
        )
        own = [used.amount for used in story.used if used.organization == organization]
        assert sum(parts.values()) == sum(own)


def test_a_budget_and_the_cost_page_with_its_filter_say_the_same(story: Story) -> None:
    world = story.world
    ids = (world.acme.pk, world.labs.pk, world.japan.pk)
    budgets = {
        _budget(world.acme, Scope()): UsageQuery(ids, story.period),
        **{
            _budget(world.acme, Scope(BudgetKind.API_KEY, key.pk)): UsageQuery(ids, story.period, api_key_ids=(key.pk,))
            for key in story.keys
        },
        _budget(world.acme, Scope(BudgetKind.USER, world.rita.pk)): UsageQuery(
            ids, story.period, user_ids=(world.rita.pk,)
        ),
    }
    for name in PRICES:
        model = Model.objects.get(name=name)
        budgets[_budget(world.acme, Scope(BudgetKind.MODEL, model.pk))] = UsageQuery(
            ids, story.period, model_ids=(model.pk,)
        )
    amounts = spent_on(budgets, story.period)
    for budget, query in budgets.items():
        assert amounts[budget.pk] == spending(query).amount
        assert amounts[budget.pk] > 0


def test_a_budget_of_a_project_or_value_says_what_the_cost_page_says_with_that_filter(story: Story) -> None:
    acme = story.world.acme
    access = open_as_member(story.world.alice, "acme")
    asked = {f"project={found.public_id}": Scope(BudgetKind.PROJECT, found.pk) for found in story.projects[acme]}
    for value in ("team:search", "tier:search"):
        asked[f"attribute={value}"] = Scope(BudgetKind.ATTRIBUTE, value=value)
    today = database_now().date()
    for query_string, scope in asked.items():
        form = read_filter_form(QueryDict(query_string), access=access, today=today, view=View.COST)
        assert not form.ignored
        budget = _budget(acme, scope)
        spent = spent_on([budget], story.period)[budget.pk]
        assert spent == spending(replace(form.query, period=story.period)).amount, query_string
        assert spent > 0


def test_a_period_ends_before_its_end(story: Story) -> None:
    budget = _budget(story.world.acme, Scope())
    days = daily_costs([budget], story.period)[budget.pk]
    first = min(days)
    only = Period(first, first + timedelta(days=1))
    assert spent_on([budget], only) == {budget.pk: days[first]}


def test_no_budgets_ask_nothing(db: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    today = one_day(database_now().date())
    with django_assert_num_queries(0):
        assert spent_on([], today) == {}


def _projects(organization: Organization) -> list[Project]:
    for name in ("team", "tier"):
        Attribute.objects.create(organization=organization, name=name, title=name, declared_at=days_ago(50))
    names = ("Default project", "Search", "Chat")
    return [
        Project.objects.create(organization=organization, name=name, is_default=name.startswith("Default"))
        for name in names
    ]


def _random_use(
    order: random.Random,
    world: World,
    keys: Sequence[APIKey],
    projects: Mapping[Organization, Sequence[Project]],
    changed: date,
) -> Used:
    key = order.choice(keys)
    organization = order.choice([world.acme, world.labs]) if key.user_id == world.rita.pk else world.acme
    model = order.choice([*PRICES, "free"])
    day = days_ago(order.randint(0, DAYS)).date()
    tokens = order.randint(1, 90_000)
    price = LATER if model == "dear" and day >= changed else PRICES.get(model, Decimal(0))
    values = {
        name: value
        for name, value in (
            ("team", order.choice(["search", "a:b", "other", ""])),
            ("tier", order.choice(["search", ""])),
        )
        if value
    }
    project = order.choice([None, *projects[organization][1:]])
    return Used(organization, key, model, day, tokens * price, project, values)


def _send(used: Iterable[Used]) -> None:
    """Send and roll up each of these; what it is for is written beside, as ingest does it."""
    token = make_token()
    known: dict[tuple[int, tuple[int, ...]], int] = {}
    for place, use in enumerate(used):
        tokens = _tokens(use)
        event = make_event(
            id=f"event-{place}",
            api_key_id=use.key.public_id,
            organization=use.organization.public_id,
            model=use.model,
            timestamp=days_ago((days_ago(0).date() - use.day).days, hour=0.001),
            input_tokens=tokens,
            output_tokens=None,
        )
        assert send(event, token) == ["accepted"]
        attribution = _attribution(use, known)
        UsageEvent.objects.filter(batch_id=UsageEvent.objects.order_by("-batch_id").values("batch_id")[:1]).update(
            attribution_id=attribution
        )
    roll_up()


def _tokens(use: Used) -> int:
    return 77 if use.model == "free" else int(use.amount / _price(use))


def _price(use: Used) -> Decimal:
    return LATER if use.model == "dear" and use.day >= days_ago(6).date() else PRICES[use.model]


def _attribution(use: Used, known: dict[tuple[int, tuple[int, ...]], int]) -> int:
    parts = [(PROJECT, use.project.pk)] if use.project is not None else []
    for name, value in sorted(use.values.items()):
        attribute = Attribute.objects.get(organization=use.organization, name=name)
        number = OTHER if value == "other" else AttributeValue.objects.get_or_create(value=value)[0].pk
        parts.append((attribute.pk, number))
    flat = tuple(number for part in sorted(parts) for number in part)
    if not flat:
        return 0
    key = (use.organization.pk, flat)
    if key not in known:
        made = Attribution.objects.create(organization_id=use.organization.pk, parts=list(flat))
        for attribute_id, value_id in parts:
            AttributionPart.objects.create(attribution_id=made.pk, attribute_id=attribute_id, value_id=value_id)
        known[key] = made.pk
    return known[key]


def _by_hand(story: Story, budget: Budget) -> dict[date, Decimal]:
    covered = {budget.organization, *budget.organization.children.all()}
    days: dict[date, Decimal] = {}
    for used in story.used:
        if used.organization in covered and used.day in story.period and used.amount and _is_about(budget, used):
            days[used.day] = days.get(used.day, Decimal(0)) + used.amount
    return days


def _is_about(budget: Budget, used: Used) -> bool:
    scope = budget.scope
    match scope.kind:
        case BudgetKind.PROJECT:
            project = used.project or Project.objects.get(organization=used.organization, is_default=True)
            return scope.target_id == project.pk
        case BudgetKind.API_KEY:  # under its name, which it has in its user's default organization alone
            is_default = used.key.user.default_organization_id == used.organization.pk
            return scope.target_id == used.key.pk and is_default
        case BudgetKind.USER:
            return scope.target_id == used.key.user_id
        case BudgetKind.MODEL:
            return Model.objects.get(pk=scope.target_id).name == used.model
        case BudgetKind.ATTRIBUTE:
            name, _, value = scope.value.partition(":")
            return used.values.get(name) == value
    return True


def _budget(organization: Organization, scope: Scope) -> Budget:
    return Budget.objects.create(
        organization=organization, kind=scope.kind, target_id=scope.target_id, value=scope.value, amount=1
    )
