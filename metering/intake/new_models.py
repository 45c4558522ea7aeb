"""Model names that nobody has reported before: each organization may bring some a UTC day, so that none can flood the others.

A new name costs more than an event: it stays for ever, and its price is looked for. Names that are known to the installation,
whoever brought them, are free.
"""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count

from accounts.clock import database_now
from accounts.periods import midnight
from metering.intake.formats.events import Refusal
from metering.models import Model

NEW_MODELS_LOCK: Final = 0x5553_4147_4504  # an advisory lock's key: any number that nothing else here uses
OVER_THE_LIMIT: Final = Refusal(
    "too_many_new_models",
    "The organization has reported as many new model names today (UTC) as it may; known ones are taken. Send it again tomorrow.",
)


def add(wanted: Mapping[str, AbstractSet[int]]) -> set[str]:
    """Add the names that are new, each for one of the organizations whose usage is of it; returns those that none may add.

    In the order of `wanted`. Requests wait for each other here, so that the limit holds exactly. Not to be called inside a
    transaction of ingest, which would make all others wait for its end.
    """
    known = _known(wanted)
    if len(known) == len(wanted):
        return set()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NEW_MODELS_LOCK])
        known = _known(wanted)
        adopted, refused = _share({name: ids for name, ids in wanted.items() if name not in known})
        Model.objects.bulk_create(
            (Model(name=name, organization_id=organization_id) for name, organization_id in adopted.items()),
            ignore_conflicts=True,
        )
    return refused


def _known(names: Mapping[str, AbstractSet[int]]) -> set[str]:
    return set(Model.objects.filter(name__in=list(names)).values_list("name", flat=True))


def _share(new: Mapping[str, AbstractSet[int]]) -> tuple[dict[str, int], set[str]]:
    """(name → the organization that brings it, names for which there is none)."""
    today = midnight(database_now().date())
    counts = (
        Model.objects.filter(
            organization_id__in={one for ids in new.values() for one in ids},
            created_at__gte=today,
            created_at__lt=today + timedelta(days=1),
        )
        .values_list("organization_id")
        .annotate(Count("id"))
    )
    brought: Counter[int] = Counter(dict(counts))
    adopted: dict[str, int] = {}
    for name, organization_ids in new.items():
        organization_id = min(organization_ids, key=brought.__getitem__)
        if brought[organization_id] < settings.NEW_MODELS_PER_DAY:
            brought[organization_id] += 1
            adopted[name] = organization_id
    return adopted, new.keys() - adopted.keys()
