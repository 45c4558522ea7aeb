"""The audit log: one row per change to keys, tracking, default organizations, members, roles, prices, budgets, exports."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Required, TypedDict, Unpack

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import HttpRequest

from accounts.addresses import plain_address
from accounts.models import AuditEvent, Organization, User

SYSTEM = "system"
OPERATOR: Final = "operator token "
"""How the name begins of an operator's program that acts with a token."""
BATCH_SIZE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from which address. `user` None is the system itself, or a program with a token called `name`."""

    user: User | None = None
    name: str = SYSTEM
    address: str | None = None


SYSTEM_ACTOR: Final = Actor()


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in user of a request, with the address that the request comes from (TRUSTED_PROXY_COUNT)."""
    user = request.user if isinstance(request.user, User) else None
    return Actor(user=user, name=user.email if user else SYSTEM, address=client_address(request))


class Said(TypedDict, total=False):
    """What an entry says beside its event. `details` must hold no secret."""

    actor: Required[Actor]
    organization: Organization | None
    target_id: str
    target_name: str
    details: Mapping[str, object] | None


def entry(event: str, **said: Unpack[Said]) -> AuditEvent:
    """An entry that is not in the log yet."""
    actor = said["actor"]
    return AuditEvent(
        organization=said.get("organization"),
        actor=actor.user,
        actor_name=actor.name,
        event=event,
        target_id=said.get("target_id", ""),
        target_name=said.get("target_name", "")[:255],
        details=dict(said.get("details") or {}),
        address=actor.address,
    )


def record(event: str, **said: Unpack[Said]) -> AuditEvent:
    """Add an entry, in the transaction of the change that it tells of."""
    added = entry(event, **said)
    added.save(force_insert=True)
    return added


def record_all(entries: Iterable[AuditEvent]) -> list[AuditEvent]:
    """Add many entries at once, in the transaction of the changes that they tell of."""
    return AuditEvent.objects.bulk_create(entries, batch_size=BATCH_SIZE)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """A transaction in which changes of staff's rights, which the database records by itself, are this actor's."""
    told = {"id": actor.user.pk if actor.user else None, "name": actor.name, "address": actor.address}
    with transaction.atomic():
        _tell_database(json.dumps(told))
        yield
        _tell_database("")


def _tell_database(actor: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('usage_dashboard.actor', %s, true)", [actor])


def client_address(request: HttpRequest) -> str | None:
    """Where a request comes from (TRUSTED_PROXY_COUNT); None if that cannot be told."""
    try:
        return plain_address(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return None
