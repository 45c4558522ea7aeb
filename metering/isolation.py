"""Loops over items that have nothing to do with each other: one that fails never stops the ones behind it.

Any exception counts as an attempt of its item: it is logged with its traceback, kept as a `FailedItem` of which staff are
told, and the item is passed over until its next attempt is due. After the last of WAITS it is given up, until somebody
asks for another attempt (the admin site's “Try again”).
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.db import connection, transaction

from accounts.clock import database_now
from metering.models import FailedItem

logger = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
WAITS: Final = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 30, 2 * 60, 5 * 60, 10 * 60, 14 * 60, 20 * 60, 24 * 60)
)
"""How long an item waits after each failed attempt: about three days in all, so that a weekend is no reason to give up."""


def each(
    task: str, items: Iterable[T], do: Callable[[T], R], *, name: Callable[[T], object] = str, at_once: bool = False
) -> Iterator[tuple[T, R]]:
    """Do something for every item; yields each item that succeeded with its result. Nothing happens until it is iterated.

    `name` tells the item from the others of the task, in the same words in every run. Items that failed before wait for
    their next attempt, unless `at_once`. `do` takes care of its transactions, and leaves none open when it raises. What
    iterating `items` itself raises, and a database that is away, rise.
    """
    failed = {found.item: found for found in FailedItem.objects.filter(task=task)}
    now = database_now()
    for item in items:
        key = _key(name(item))
        known = failed.get(key)
        if known is not None and not at_once and not _is_due(known, now):
            continue
        try:
            result = do(item)
        except Exception as error:
            logger.exception("%s failed on %s", task, key)
            count_failure(task, key, error)
            continue
        if known is not None:
            known.delete()
        yield item, result


def do_each(
    task: str, items: Iterable[T], do: Callable[[T], R], *, name: Callable[[T], object] = str, at_once: bool = False
) -> list[R]:
    """As `each`, at once: the results of the items that succeeded."""
    return [result for _, result in each(task, items, do, name=name, at_once=at_once)]


def count_failure(task: str, item: object, error: Exception) -> FailedItem:
    """One more attempt of the item failed: the next one is later, or never. Staff are told of the first and the last."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()  # an item that cost the connection does not cost the next its turn
    with transaction.atomic():
        found, is_new = FailedItem.objects.select_for_update().get_or_create(task=task, item=_key(item))
        now = database_now()
        found.next_attempt_at = now + WAITS[found.num_attempts] if found.num_attempts < len(WAITS) else None
        found.num_attempts += 1
        found.last_failed_at = now
        found.last_error = f"{type(error).__name__}: {error}".replace("\0", "")[:500]
        if is_new or found.next_attempt_at is None:
            found.told_at = None
        found.save()
    return found


def forget(task: str, item: object) -> None:
    """The item succeeded outside of the task's loop."""
    FailedItem.objects.filter(task=task, item=_key(item)).delete()


def passed_over(task: str) -> set[str]:
    """The names of the items that wait for a later attempt or were given up, for tasks that choose their items in SQL."""
    now = database_now()
    return {found.item for found in FailedItem.objects.filter(task=task) if not _is_due(found, now)}


def try_again(items: Iterable[FailedItem]) -> int:
    """Let the next run of each one's task try it, as if it had never failed before; returns how many."""
    chosen = [found.pk for found in items]
    return FailedItem.objects.filter(pk__in=chosen).update(next_attempt_at=database_now(), num_attempts=0)


def _is_due(found: FailedItem, now: datetime) -> bool:
    return found.next_attempt_at is not None and found.next_attempt_at <= now


def _key(name: object) -> str:
    return str(name).replace("\0", "")[:200]
