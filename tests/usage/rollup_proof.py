"""The rollups' rows, and whether their layers agree."""

from typing import Any

from django.apps import apps
from django.db.models import Model

from accounts.periods import Period
from billing import proof
from billing.models import DailyCost
from metering.measured import RollupMeasures
from metering.rollups.proof import days_with_events

ROLLUPS: tuple[type[Model], ...] = tuple(
    model for model in apps.get_app_config("metering").get_models() if issubclass(model, RollupMeasures)
)


def everything() -> list[Any]:
    """All rows of all rollups and costs."""
    tables: tuple[type[Model], ...] = (*ROLLUPS, DailyCost)
    return [sorted(table._default_manager.values_list(), key=repr) for table in tables]


def drift(days: list[Period] | None = None) -> dict[str, int]:
    """The layers that differ, and in how many rows."""
    found = proof.prove(days_with_events() if days is None else days)
    return {drift.layer: drift.num_different for drift in found if drift.num_different}
