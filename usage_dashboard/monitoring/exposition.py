"""Readings → Prometheus's text format. Each metric is named here, with the sentence that Prometheus shows for it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate, groupby
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from usage_dashboard.monitoring.readings import Readings, TimingRow
from usage_dashboard.monitoring.timings import BOUNDS, REQUEST, TASK

PREFIX: Final = "usage_dashboard_"
BUCKETS: Final = (*map(str, BOUNDS), "+Inf")
STATES: Final = ("active", "idle", "idle in transaction")
"""States of connections that always have a number."""


class _Collected(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        return metrics(self._readings)


def text(readings: Readings) -> bytes:
    """The readings in the text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(readings))
    return generate_latest(registry)


def metrics(readings: Readings) -> Iterator[Metric]:
    """Every metric that there is, also those without a sample now."""
    yield from _intake(readings)
    yield from _requests(readings)
    yield _tasks(readings)
    yield from _stores(readings)
    yield from _outbox(readings)
    yield from _faults(readings)
    yield from _organizations(readings)


def _intake(readings: Readings) -> Iterator[Metric]:
    events = CounterMetricFamily(
        f"{PREFIX}events",
        "What came in by way in and outcome: events, and for “unreadable” requests of which none was looked at.",
        labels=["source", "outcome"],
    )
    for source, outcome, number in readings.events:
        events.add_metric([source, outcome], number)
    yield events
    yield _gauge(
        "rollup_lag_seconds", "Age of the oldest stored batch that pages do not show yet.", readings.lag_seconds
    )
    yield _gauge(
        "rollup_waiting_batches", "Stored batches that are not rolled up, 10,000 at most.", readings.num_waiting_batches
    )


def _requests(readings: Readings) -> Iterator[Metric]:
    """Times by address alone, outcomes by number alone: a scrape grows with the product of what a histogram tells apart."""
    rows = [row for row in readings.timings if row.kind == REQUEST]
    requests = CounterMetricFamily(
        f"{PREFIX}requests", "Requests by address and class of the answer's status.", labels=["route", "outcome"]
    )
    for labels, series in groupby(rows, lambda row: (row.name, row.outcome)):
        requests.add_metric(labels, sum(row.number for row in series))
    yield requests
    times = HistogramMetricFamily(
        f"{PREFIX}request_seconds", "Requests by address, from the whole body to the whole answer.", labels=["route"]
    )
    for route, series in groupby(rows, lambda row: row.name):
        _add(times, [route], list(series))
    yield times


def _tasks(readings: Readings) -> Metric:
    times = HistogramMetricFamily(
        f"{PREFIX}task_seconds", "Runs of background tasks; idle ones found nothing to do.", labels=["task", "outcome"]
    )
    rows = (row for row in readings.timings if row.kind == TASK)
    for labels, series in groupby(rows, lambda row: (row.name, row.outcome)):
        _add(times, labels, list(series))
    return times


def _add(times: HistogramMetricFamily, labels: Sequence[str], rows: list[TimingRow]) -> None:
    times.add_metric(labels, _buckets(rows), sum(row.seconds for row in rows))


def _buckets(rows: list[TimingRow]) -> list[tuple[str, float]]:
    """Of each bound how many took at most so long. Rows with bounds of an older version count in the next larger one."""
    numbers = [0] * (len(BOUNDS) + 1)
    for row in rows:
        numbers[bisect_left(BOUNDS, row.at_most)] += row.number
    return list(zip(BUCKETS, accumulate(numbers), strict=True))


def _stores(readings: Readings) -> Iterator[Metric]:
    yield _gauge("broker_up", "1 if the broker of background tasks answered, else 0.", readings.queues is not None)
    yield _gauges("queue_messages", "Tasks that wait in a queue.", "queue", (readings.queues or {}).items())
    yield _gauges(
        "database_connections",
        "Connections to the database by state.",
        "state",
        ({**dict.fromkeys(STATES, 0), **dict(readings.connections)}).items(),
    )
    yield _gauge("database_connections_max", "Connections that the database takes.", readings.most_connections)


def _outbox(readings: Readings) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        f"{PREFIX}deliveries_waiting",
        "Emails and webhooks that wait; those tried before failed at least once. 10,000 at most.",
        labels=["kind", "attempts"],
    )
    overdue = {"email": 0.0, "webhook": 0.0}
    numbers = {(kind, attempts): 0 for kind in overdue for attempts in ("none", "some")}
    for found in readings.deliveries:
        numbers[found.kind, "none"], numbers[found.kind, "some"] = found.num_new, found.num_tried
        overdue[found.kind] = found.overdue_seconds
    for (kind, attempts), number in numbers.items():
        waiting.add_metric([kind, attempts], number)
    yield waiting
    yield _gauges("deliveries_overdue_seconds", "How long the oldest one has been due.", "kind", overdue.items())
    yield _gauges(
        "webhooks",
        "Webhooks that fail now, and that were switched off because nothing reached them.",
        "state",
        {"failing": readings.num_webhooks_failing, "switched off": readings.num_webhooks_off}.items(),
    )


def _faults(readings: Readings) -> Iterator[Metric]:
    failed = GaugeMetricFamily(
        f"{PREFIX}failed_items", "Items on which a task failed: tried again, or given up.", labels=["task", "state"]
    )
    for task, state, number in readings.failed_items:
        failed.add_metric([task, state], number)
    yield failed
    proof = readings.proof
    yield _gauge(
        "proof_different_rows",
        "Rows that differed in the last nightly proof from raw events to invoices.",
        None if proof is None else proof.num_different,
    )
    yield _gauge(
        "proof_finished_timestamp_seconds",
        "When the last proof ended.",
        _timestamp(None if proof is None else proof.finished_at),
    )


def _organizations(readings: Readings) -> Iterator[Metric]:
    found = readings.organizations
    yield _gauges(
        "organization_cost_dollars",
        "Cost of this UTC month before credit and tax, of the organizations that cost most and of all others.",
        "organization",
        ((row.name, float(row.cost)) for row in found),
    )
    yield _gauges(
        "organization_tokens",
        "Input and output tokens of this UTC month, of the same organizations.",
        "organization",
        ((row.name, float(row.tokens)) for row in found),
    )
    yield _gauge(
        "organizations_measured_timestamp_seconds",
        "When these were measured.",
        _timestamp(readings.organizations_measured_at),
    )


def _timestamp(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _gauge(name: str, sentence: str, value: float | None) -> Metric:
    """A single number, or no sample where there is none."""
    family = GaugeMetricFamily(f"{PREFIX}{name}", sentence)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _gauges(name: str, sentence: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}{name}", sentence, labels=[label])
    for value, number in values:
        family.add_metric([value], number)
    return family
