"""After a fault: what was acknowledged is stored once, is in the rollups, and no layer differs from another."""

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from django.db import connection

from billing import proof as cost_proof
from metering.rollups import proof
from tests.faults.harness import Stack
from tests.faults.load import Load

STORED_SQL: Final = """
SELECT event_id::text, coalesce(input_tokens, 0), coalesce(output_tokens, 0)
FROM metering_usageevent WHERE user_id = %s
"""
FIGURES: Final = "figures"
ROLLUPS: Final = ("metering_hourlyusage", "metering_dailyusage", "metering_monthlyusage")


@dataclass(frozen=True)
class Figures:
    """One scenario's outcome, in events."""

    scenario: str
    distinct: int
    sent: int
    acknowledged: int
    lost: int
    doubled: int
    drift: int
    seconds: float
    troubles: str


@dataclass
class Scenario:
    """One sender's account: a user whose events are this scenario's alone. `others` are further senders of that user's.

    Its figures become one of the `properties` of the test, which reach the report from any process.
    """

    name: str
    stack: Stack
    user_id: int
    secret: str
    load: Load
    properties: list[tuple[str, object]]
    others: list[Load] = field(default_factory=list)
    began_at: float = field(default_factory=time.monotonic)

    def require_exactly_once(self, *, statuses: frozenset[str] = frozenset({"503"})) -> None:
        """Every acknowledged event is stored exactly once, nothing else is, and all layers agree."""
        self.stack.wait_until_rolled_up()
        stored = self.stack.rows(STORED_SQL, [self.user_id])
        copies = Counter(event_id for event_id, *_ in stored)
        sent = [(load.events, number) for load in self.loads for number in load.ledger.acknowledged]
        acknowledged = {str(events.stored_id(number)) for events, number in sent}
        drift = drift_of_all_days()
        self.note_figures(
            acknowledged=len(acknowledged),
            lost=len(acknowledged - copies.keys()),
            doubled=len(stored) - len(copies),
            drift=drift,
        )
        assert copies.keys() == acknowledged
        assert len(stored) == len(acknowledged)
        assert sum(row[1] for row in stored) == sum(events.input_tokens(number) for events, number in sent)
        assert sum(row[2] for row in stored) == sum(events.output_tokens(number) for events, number in sent)
        for table in ROLLUPS:
            assert self._summed(table) == (len(stored), sum(row[1] for row in stored), sum(row[2] for row in stored))
        assert drift == 0
        answered = {trouble for trouble in self._troubles() if trouble.isdigit()}
        assert answered <= statuses, self._troubles()

    @property
    def loads(self) -> list[Load]:
        return [self.load, *self.others]

    def _troubles(self) -> Counter[str]:
        return sum((load.ledger.troubles for load in self.loads), start=Counter())

    def _summed(self, table: str) -> tuple[int, ...]:
        sums = "sum(num_model_requests), sum(input_tokens), sum(output_tokens)"
        row: tuple[Any, ...] = self.stack.rows(f"SELECT {sums} FROM {table} WHERE user_id = %s", [self.user_id])[0]
        return tuple(int(value or 0) for value in row)

    def note_figures(self, *, acknowledged: int, lost: int, doubled: int, drift: int) -> None:
        """For the table at the end of the run."""
        seconds = time.monotonic() - self.began_at
        troubles = ", ".join(f"{count} × {name}" for name, count in self._troubles().most_common())
        figures = Figures(
            scenario=self.name,
            distinct=sum(load.num_wanted for load in self.loads),
            sent=max(sum(load.ledger.sent for load in self.loads), acknowledged),
            acknowledged=acknowledged,
            lost=lost,
            doubled=doubled,
            drift=drift,
            seconds=seconds,
            troubles=troubles,
        )
        self.properties.append((FIGURES, asdict(figures)))


def drift_of_all_days() -> int:
    """Rows that differ between any two layers, from raw events to cost, on any day or month."""
    connection.close()  # it may lead to a server that was killed
    return sum(drift.num_different for drift in cost_proof.prove(proof.days_with_events()))
