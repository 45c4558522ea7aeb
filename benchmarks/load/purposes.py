"""What usage is for in the world of benchmarks: 20 projects, and attributes of 20, 50 and 10,000 values.

A key carries its project and its team, and has ten end customers of its own. The customer of rank r among them has a share of
the key's usage proportional to r^-0.8, as keys have of the organization's. Every second customer uses one feature, the others
two: three quarters of what they do is for the first.
"""

import random
from collections.abc import Sequence
from typing import Final

from django.db import connection

from accounts.changes import organization_change, routing_change
from accounts.clock import database_now
from accounts.models import Project
from accounts.periods import month_of
from accounts.projects import attributes
from apikeys.models import KeyAttribution
from benchmarks.load.world import FOUNDED_AT, KEY_SKEW, World, make_world, shares
from metering.attributions import adopt
from metering.attributions.memory import Memory, Wanted

NUM_PROJECTS: Final = 20
NUM_TEAMS: Final = 50
NUM_FEATURES: Final = 20
CUSTOMERS_OF_KEY: Final = 10
SLOTS: Final = 100
"""The skew as a table: a customer's feature has as many of these slots as it has of its key's usage."""
TABLE: Final = f"purposes{SLOTS}"
NAMES: Final = ("team", "feature", "end_customer")


def make_world_with_purposes(slug: str) -> World:
    """The world, whose keys carry a project and a team, with what their usage is for in TABLE."""
    world = make_world(slug)
    with organization_change(world.organization) as now:
        declared = [
            attributes.declare(organization=world.organization, name=name, title=name, now=now).pk for name in NAMES
        ]
        projects = Project.objects.bulk_create(
            Project(organization=world.organization, name=f"Project {number}") for number in range(NUM_PROJECTS)
        )
    with routing_change():
        KeyAttribution.objects.bulk_create(
            KeyAttribution(
                api_key_id=key.id,
                organization=world.organization,
                project=projects[rank % NUM_PROJECTS],
                attributes={"team": _team(rank)},
                effective_at=FOUNDED_AT,
            )
            for rank, key in enumerate(world.keys)
        )
    _make_table(world, [project.pk for project in projects], declared)
    return world


def attributes_of(rng: random.Random, rank: int) -> dict[str, str]:
    """What an event of the key with this rank says."""
    return _said(rank, *rng.choice(USES))


def _uses() -> Sequence[tuple[int, int]]:
    """For each slot which of its key's customers it belongs to, and which of that one's features."""
    bounds = shares(CUSTOMERS_OF_KEY, KEY_SKEW)
    customers = [next(rank for rank, bound in enumerate(bounds) if slot < bound * SLOTS) for slot in range(SLOTS)]
    return [(rank, int(rank % 2 == 1 and slot % 4 == 0)) for slot, rank in enumerate(customers)]


USES: Final = _uses()


def _said(rank: int, customer_rank: int, which: int) -> dict[str, str]:
    customer = rank * CUSTOMERS_OF_KEY + customer_rank
    return {"feature": f"feature-{(customer + 7 * which) % NUM_FEATURES}", "end_customer": f"customer-{customer}"}


def _team(rank: int) -> str:
    return f"team-{rank % NUM_TEAMS}"


def _make_table(world: World, projects: list[int], declared: list[int]) -> None:
    """Store all combinations, and note which slots of which key they have."""
    wanted: list[tuple[int, int, Wanted]] = []
    for rank, key in enumerate(world.keys):
        for slot, use in enumerate(USES):
            texts = {"team": _team(rank), **_said(rank, *use)}
            values = tuple(zip(declared, (texts[name] for name in NAMES), strict=True))
            wanted.append((key.id, slot, (world.organization.pk, projects[rank % NUM_PROJECTS], values)))
    memory = Memory(month_of(database_now().date()).start)
    adopt.learn(memory, list(dict.fromkeys(purpose for _, _, purpose in wanted)))
    columns = zip(*((key_id, slot, memory.id_of(*purpose)) for key_id, slot, purpose in wanted), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE UNLOGGED TABLE IF NOT EXISTS {TABLE} (key_id bigint, slot integer, attribution_id integer)"
        )
        cursor.execute(
            f"INSERT INTO {TABLE} SELECT * FROM unnest(%s::bigint[], %s::integer[], %s::integer[])",
            [list(column) for column in columns],
        )
        cursor.execute(f"ANALYZE {TABLE}")
