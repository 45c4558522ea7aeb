"""The dashboard, the alerts and the documentation name metrics and labels that there are, and the documentation all of them."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from django.conf import settings

from metering.ingestion_models import Kind
from metering.models import Verification
from usage_dashboard.models import LeadingOrganization
from usage_dashboard.monitoring.exposition import metrics
from usage_dashboard.monitoring.readings import Deliveries, Readings, TimingRow
from usage_dashboard.monitoring.task_times import DONE, FAILED, IDLE
from usage_dashboard.monitoring.timings import REQUEST, TASK

DOCS: Final = Path(settings.BASE_DIR) / "docs"
NAME: Final = re.compile(r"usage_dashboard_\w+")
SELECTED: Final = re.compile(r"(usage_dashboard_\w+)\{([^}]*)\}")
MATCHER: Final = re.compile(r'(\w+)=~?"([^"]*)"')
GROUPED: Final = re.compile(r"by \(([\w, ]+)\)")
OUTCOMES: Final = {*Kind.values, "2xx", "3xx", "4xx", "5xx", DONE, IDLE, FAILED}


def everything() -> Readings:
    """Readings with a sample of each metric."""
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    proof = Verification(finished_at=moment, num_different=0)
    rows = [TimingRow(kind, "name", "2xx", 1.0, 1, 1.0) for kind in (REQUEST, TASK)]
    leading = LeadingOrganization(name="acme", cost=1, tokens=1)
    return Readings(
        events=[("native", "accepted", 1)],
        timings=rows,
        lag_seconds=0.0,
        num_waiting_batches=0,
        queues={"celery": 0, "deliveries": 0},
        connections=[("active", 1)],
        most_connections=100,
        deliveries=[Deliveries("email", 0, 0, 0.0)],
        num_webhooks_failing=0,
        num_webhooks_off=0,
        failed_items=[("task", "waiting", 1)],
        proof=proof,
        organizations=[leading],
        organizations_measured_at=moment,
    )


def families() -> set[str]:
    """The names of all metrics, as documents give them: those of counters end with _total."""
    return {f"{one.name}_total" if one.type == "counter" else one.name for one in metrics(everything())}


def labels() -> dict[str, dict[str, set[str]]]:
    """Of each sample's name the labels, and their values in `everything`."""
    found: dict[str, dict[str, set[str]]] = {name: {} for name in families()}
    for family in metrics(everything()):
        for sample in family.samples:
            of_name = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                of_name.setdefault(label, set()).add(value)
    return found


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    return read


def alerts() -> list[dict[str, Any]]:
    read = yaml.safe_load((DOCS / "prometheus-alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def questions() -> Iterator[str]:
    """Every PromQL expression of the documents."""
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (rule["expr"] for rule in alerts())


def test_every_metric_that_a_question_names_exists() -> None:
    asked = {name for question in questions() for name in NAME.findall(question)}
    assert len(asked) > 15
    assert asked <= labels().keys()


@pytest.mark.parametrize("question", list(questions()))
def test_every_label_that_a_question_names_is_one_of_its_metric(question: str) -> None:
    known = labels()
    for name, matchers in SELECTED.findall(question):
        for label, pattern in MATCHER.findall(matchers):
            assert label in known[name], question
            if label == "outcome":
                assert set(pattern.split("|")) <= OUTCOMES, question
    of_all = {label for name in NAME.findall(question) for label in known[name]}
    for names in GROUPED.findall(question):
        assert set(names.replace(" ", "").split(",")) <= of_all, question


def test_counters_of_several_targets_are_not_added_up() -> None:
    """Each process answers for all; who scrapes three of them would see three times as many."""
    for question in questions():
        for summed in re.findall(r"sum(?: by \([^)]*\))? ?\((.*?)\(", question):
            assert summed.startswith("max without "), question


def test_every_metric_is_on_the_dashboard_and_in_the_table_of_the_documentation() -> None:
    text = (DOCS / "operations.md").read_text(encoding="utf-8").split("## Metrics for Prometheus")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(usage_dashboard_\w+)", text, re.MULTILINE))
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for question in questions() for name in NAME.findall(question)}
    assert documented == families() == shown


def test_every_panel_and_alert_says_what_it_is_for() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] for panel in panels)
    assert len({rule["alert"] for rule in alerts()}) == len(alerts())
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".")


def test_there_is_an_alert_for_lag_drift_and_failing_deliveries() -> None:
    asked = " ".join(rule["expr"] for rule in alerts())
    for name in ("rollup_lag_seconds", "proof_different_rows", "deliveries_overdue_seconds", "deliveries_waiting"):
        assert f"usage_dashboard_{name}" in asked
