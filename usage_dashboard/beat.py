"""Beat that leaves no long queue for a worker that was away.

Celery's own means, messages that expire, would let the clocks of two machines decide: beat writes the time into the message,
and the worker compares it with its own. So beat looks at the length of the queue instead.
"""

from typing import Any, Final

from celery.beat import ScheduleEntry
from celery.beat import Scheduler as CeleryScheduler
from celery.schedules import crontab

QUEUE: Final = "celery"
MOST_WAITING: Final = 100
"""About as many as beat sends in a minute."""


class Scheduler(CeleryScheduler):
    """Passes over a turn of a task that comes back within the hour while many tasks wait; those of a certain hour wait too."""

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        if isinstance(entry.schedule, crontab) or self._num_waiting() < MOST_WAITING:
            super().apply_entry(entry, producer=producer)

    def _num_waiting(self) -> int:
        """Messages in the queue; 0 if Redis does not tell, because sending will then say what is wrong."""
        try:
            channel: Any = self.producer.channel
            return int(channel.client.llen(QUEUE))
        except self.connection.connection_errors + self.connection.channel_errors:
            return 0
