"""The guard around every change that routing or authentication depends on: keys, tokens, tracking, defaults, memberships.

Ingest holds `ROUTING_LOCK` shared from the moment it reads the routing version until its events are committed. A change
holds it alone, raises the version, and takes effect at a moment read under the lock. So an event is routed either wholly
before a change or wholly after it, and a process that still remembers the state before it learns so before it commits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from django.db import connection, transaction

ROUTING_LOCK: Final = 0x5553_4147_4501  # an advisory lock's key: any number that nothing else here uses


@contextmanager
def routing_change() -> Iterator[datetime]:
    """A transaction that is alone with the routing state; yields the moment at which its change takes effect."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROUTING_LOCK])
            cursor.execute("UPDATE accounts_routingversion SET version = version + 1 RETURNING clock_timestamp()")
            (now,) = cursor.fetchone()
        yield now
