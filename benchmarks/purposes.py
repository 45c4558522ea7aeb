"""What usage is for in the world of benchmarks: 20 projects, and attributes of 20, 50 and 10,000 values.

A key carries its project and its team. Each end customer belongs to one key, and uses two of the features.
"""

import random
from typing import Final

from django.db import connection

from accounts.changes import organization_change, routing_change
from accounts.clock import database_now
from accounts.models import Project
from accounts.periods import month_of
from accounts.projects import attributes
from apikeys.models import KeyAttribution
from benchmarks.world import FOUNDED_AT, World, make_world
from metering.attributions import adopt
from metering.attributions.memory import Memory, Wanted

NUM_PROJECTS: Final = 20
NUM_TEAMS: Final = 50
NUM_FEATURES: Final = 20
CUSTOMERS_OF_KEY: Final = 10
FEATURES_OF_CUSTOMER: Final = 2
SLOTS: Final = CUSTOMERS_OF_KEY * FEATURES_OF_CUSTOMER
"""How many combinations a key's usage has."""
TABLE: Final = f"purposes{SLOTS}"
NAMES: Final = ("team", "feature", "end_customer")


def make_world_with_purposes(slug: str) -> World:
    """The world, whose keys carry a project and a team, with its combinations in TABLE."""
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
    return _said(rank, rng.randrange(SLOTS))


def _said(rank: int, slot: int) -> dict[str, str]:
    customer, which = rank * CUSTOMERS_OF_KEY + slot // FEATURES_OF_CUSTOMER, slot % FEATURES_OF_CUSTOMER
    return {"feature": f"feature-{(customer + 7 * which) % NUM_FEATURES}", "end_customer": f"customer-{customer}"}


def _team(rank: int) -> str:
    return f"team-{rank % NUM_TEAMS}"


def _make_table(world: World, projects: list[int], declared: list[int]) -> None:
    """All combinations, stored, and which key's they are."""
    wanted: list[tuple[int, int, Wanted]] = []
    for rank, key in enumerate(world.keys):
        for slot in range(SLOTS):
            texts = {"team": _team(rank), **_said(rank, slot)}
            values = tuple(zip(declared, (texts[name] for name in NAMES), strict=True))
            wanted.append((key.id, slot, (world.organization.pk, projects[rank % NUM_PROJECTS], values)))
    memory = Memory(month_of(database_now().date()).start)
    adopt.learn(memory, [purpose for _, _, purpose in wanted])
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
