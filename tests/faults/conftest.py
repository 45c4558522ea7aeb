"""The running product and one account per scenario."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker, Settings

from accounts.clock import database_now
from apikeys.keys import keys
from tests.faults.harness import Stack
from tests.faults.load import Events, Load
from tests.faults.proof import FIGURES, Figures, Scenario
from tests.world import Role, make_organization, make_user

TOTAL_EVENTS = int(os.environ.get("FAULT_EVENTS", "200000"))
NUM_SCENARIOS_WITH_LOAD = 12


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Last, so that the servers of these tests do not run beside all the others."""
    items.sort(key=lambda item: Path(__file__).parent in item.path.parents)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    noted = [each for report in reports if report.when == "call" for each in report.user_properties]
    outcomes = sorted((Figures(**figures) for name, figures in noted if name == FIGURES), key=lambda row: row.scenario)
    if outcomes:
        terminalreporter.section("faults")
    for row in outcomes:
        terminalreporter.write_line(
            f"{row.scenario:<88} {row.distinct:>9,} events, sent {row.sent:>9,}, acknowledged {row.acknowledged:>9,},"
            f" lost {row.lost}, doubled {row.doubled}, drift {row.drift}, {row.seconds:5.1f} s  {row.troubles}"
        )
    if outcomes:
        total = sum(row.acknowledged for row in outcomes)
        terminalreporter.write_line(f"{total:,} events acknowledged in {len(outcomes)} scenarios")


@pytest.fixture(scope="session")
def running_stack(django_db_blocker: DjangoDbBlocker) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="usage-dashboard-faults-") as directory:
        stack = Stack(Path(directory).resolve())
        try:
            with django_db_blocker.unblock():
                stack.start_servers()
            yield stack
        finally:
            stack.stop_all()


@pytest.fixture
def stack(running_stack: Stack, django_db_blocker: DjangoDbBlocker) -> Iterator[Stack]:
    """Every part runs, and Django in this process uses its database."""
    running_stack.start_what_is_missing()
    with django_db_blocker.unblock(), running_stack.as_default_database():
        yield running_stack


@pytest.fixture(scope="module")
def web_environment() -> dict[str, str]:
    """With what web of a module that asks for `own_web` is started: it shows pages without collected static files."""
    return {"DEBUG": "1"}


@pytest.fixture(scope="module")
def own_web(running_stack: Stack, web_environment: dict[str, str]) -> Iterator[None]:
    """Web has the environment of the module, and is started once for all of its tests; whoever comes next starts their own."""
    running_stack.start_what_is_missing()
    running_stack.stop("web")
    running_stack.start("web", environment=web_environment)
    yield
    running_stack.stop("web")


@pytest.fixture
def paged(own_web: None, stack: Stack, settings: Settings) -> Stack:
    """Web that shows pages to sessions that are made here."""
    settings.SECRET_KEY = (stack.plan.data_dir / "secret_key").read_text().strip()
    return stack


@pytest.fixture
def num_events() -> int:
    """How many events one scenario sends."""
    return TOTAL_EVENTS // NUM_SCENARIOS_WITH_LOAD


@pytest.fixture
def scenario(stack: Stack, request: pytest.FixtureRequest) -> Scenario:
    """A person of their own, in an organization of their own, with three keys and a gateway that reports for them."""
    return make_scenario(stack, request.node.name, request.node.user_properties)


def make_scenario(stack: Stack, test_name: str, properties: list[tuple[str, object]]) -> Scenario:
    """An account whose figures become one of the properties of a test."""
    test_name = test_name.removeprefix("test_")
    name = f"{re.sub(r'[^a-z0-9_]+', '-', test_name)[:60]}-{database_now():%H%M%S%f}"
    organization = make_organization(name[-40:])
    user = make_user(f"{name}@faults.test", name="Ada Ames", role=Role.OWNER, organization=organization)
    created_at = database_now().replace(year=2024, day=1)
    key_ids = [keys.create_api_key(user=user, name=f"Key {n}", created_at=created_at)[0].public_id for n in range(3)]
    _, secret = keys.create_ingest_token(name=name[-60:])
    load = Load(stack.plan.port, secret, Events(name[-40:], key_ids))
    return Scenario(test_name, stack, user.pk, secret, load, properties)
