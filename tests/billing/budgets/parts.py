"""Budgets of parts, for the tests of what is told of them and of what they refuse."""

from decimal import Decimal

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import Organization, Project, RoutingVersion
from apikeys import directory
from apikeys.models import APIKey
from billing.alerts import Budget, BudgetKind, Scope
from billing.budgets import budgets
from metering.attribution_models import ALL
from metering.intake import skus
from metering.measures import MEASURES
from metering.models import Model, ValueDailyUsage
from tests.engine import make_key, make_token
from tests.money import ACTOR, model_of, set_price
from tests.usage.rollup_rows import sku_of
from tests.world import World, make_world

KINDS = ["project", "api_key", "user", "model", "attribute"]
COST = {
    "project": 10,
    "default_project": 90,
    "api_key": 10,
    "user": 10,
    "model": 10,
    "attribute": 10,
    "organization": 100,
}


def add_value(organization: Organization, attribute_id: int, value_id: int, tokens: int) -> None:
    for found_id in (value_id, ALL):
        row, _ = ValueDailyUsage.objects.get_or_create(
            organization_id=organization.pk,
            attribute_id=attribute_id,
            day=database_now().date(),
            value_id=found_id,
            sku_id=sku_of("m").pk,
            defaults=dict.fromkeys(MEASURES, 0),
        )
        row.input_tokens += tokens
        row.save()


def scope_of(kind: str, world: World, key: APIKey) -> Scope:
    scopes = {
        "project": Scope(BudgetKind.PROJECT, Project.objects.get(name="Search").pk),
        "default_project": Scope(BudgetKind.PROJECT, Project.objects.get(is_default=True, organization=world.acme).pk),
        "api_key": Scope(BudgetKind.API_KEY, key.pk),
        "user": Scope(BudgetKind.USER, key.user_id),
        "model": Scope(BudgetKind.MODEL, Model.objects.get(name="m").pk),
        "attribute": Scope(BudgetKind.ATTRIBUTE, value="team:a"),
        "organization": Scope(),
    }
    return scopes[kind]


def set_budget(
    organization: Organization,
    scope: Scope,
    amount: str = "10",
    thresholds: tuple[int, ...] = (50, 100),
    *,
    hard: bool = True,
) -> Budget:
    return budgets.set_budget(
        organization, scope=scope, amount=Decimal(amount), thresholds=thresholds, is_hard=hard, actor=ACTOR
    )


def real_world() -> tuple[World, APIKey, str]:
    """The named world with Rita's key and a token, committed."""
    world = make_world()
    directory.forget()
    skus.forget()
    RoutingVersion.objects.get_or_create(id=1)
    model_of("m")
    set_price("m", "0.01")
    with routing_change():
        key, token = make_key(world.rita), make_token()
    return world, key, token
