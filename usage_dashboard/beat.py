"""Beat that leaves no long queue for a worker that was away.

Celery's own means, messages that expire, would let the clocks of two machines decide: beat writes the time into the message,
and the worker compares it with its own. So beat looks at the length of the queue instead.
"""

import contextlib
from typing import Any, Final

from celery.beat import ScheduleEntry
from celery.beat import Scheduler as CeleryScheduler
from celery.schedules import crontab

from usage_dashboard.monitoring.broker import ALIVE

ALIVE_SECONDS: Final = 60
MOST_WAITING: Final = 100
"""About as many as beat sends in a minute."""


class Scheduler(CeleryScheduler):
    """Passes over a turn of a task that comes back within the hour while many wait in its queue; those of a certain hour wait."""

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        self._note_alive()
        if isinstance(entry.schedule, crontab) or self._num_waiting(self._queue_of(entry)) < MOST_WAITING:
            super().apply_entry(entry, producer=producer)

    def _note_alive(self) -> None:
        """In Redis, for a minute by its clock alone."""
        with contextlib.suppress(*self.connection.connection_errors, *self.connection.channel_errors):
            channel: Any = self.producer.channel
            channel.client.set(ALIVE, 1, ex=ALIVE_SECONDS)

    def _queue_of(self, entry: ScheduleEntry) -> str:
        route: Any = self.app.amqp.router.route(dict(entry.options or {}), str(entry.task))
        return str(route["queue"].name) if "queue" in route else str(self.app.conf.task_default_queue)

    def _num_waiting(self, queue: str) -> int:
        """Messages in the queue; 0 if Redis does not tell, because sending will then say what is wrong."""
        try:
            channel: Any = self.producer.channel
            return int(channel.client.llen(queue))
        except self.connection.connection_errors + self.connection.channel_errors:
            return 0
