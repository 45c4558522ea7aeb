"""How long Celery's tasks take, and whether they failed or found nothing to do."""

import time
from collections.abc import Callable
from typing import Any, Final

from celery import signals

from usage_dashboard.monitoring.timings import TASK, is_measured, timings

DONE: Final = "done"
IDLE: Final = "idle"
FAILED: Final = "failed"
_began_at: dict[str, float] = {}


def measured(name: str, do: Callable[[], int | None]) -> int | None:
    """Do, without Celery, what its task of that name does, and note it as such; returns how much was done."""
    began_at, outcome = time.monotonic(), FAILED
    try:
        how_much = do()
        outcome = DONE if how_much else IDLE
    finally:
        if is_measured():
            timings.note(TASK, name, outcome, time.monotonic() - began_at)
    return how_much


def listen() -> None:
    """Time every task that this process runs from now on."""
    signals.task_prerun.connect(_begin)
    signals.task_postrun.connect(_end)


def _begin(task_id: str, **_kwargs: Any) -> None:
    _began_at[task_id] = time.monotonic()


def _end(task_id: str, task: Any, state: str, retval: Any, **_kwargs: Any) -> None:
    began_at = _began_at.pop(task_id, None)
    if began_at is not None and is_measured():
        timings.note(TASK, task.name, _outcome(state, retval), time.monotonic() - began_at)


def _outcome(state: str, retval: Any) -> str:
    """A task that answers with a number says how much it did."""
    if state != "SUCCESS":
        return FAILED
    return IDLE if retval == 0 else DONE
