"""A transaction inside a test's own that is rolled back, as if it had never been."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def undone() -> Iterator[None]:
    """What is done in the block is taken back. Durable transactions may be in it, as in the one around each test."""
    with transaction.atomic():
        connection.atomic_blocks[-1]._from_testcase = True  # type: ignore[attr-defined]  # Django's own mark for it
        yield
        transaction.set_rollback(True)
