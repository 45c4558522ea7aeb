"""Model names that nobody has reported before: each organization may bring some a UTC day, so that none can flood the others.

A new name costs more than an event: it stays for ever, and its price is looked for. Names that are known to the installation,
whoever brought them, are free.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from metering.dictionaries.shares import brought_today, share
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
        new = {name: organization_ids for name, organization_ids in wanted.items() if name not in known}
        brought = brought_today(Model.objects.all(), new.values(), by="organization_id", at="created_at")
        adopted = share(new, brought, settings.NEW_MODELS_PER_DAY)
        Model.objects.bulk_create(
            (Model(name=name, organization_id=organization_id) for name, organization_id in adopted.items()),
            ignore_conflicts=True,
        )
    return new.keys() - adopted.keys()


def _known(names: Mapping[str, AbstractSet[int]]) -> set[str]:
    return set(Model.objects.filter(name__in=list(names)).values_list("name", flat=True))
