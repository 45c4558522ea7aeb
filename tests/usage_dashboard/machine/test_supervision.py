"""What a launcher does with its processes: started again, given up, stopped with all that they started, known when left over."""

import json
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from usage_dashboard.machine.orphans import record, stop_orphans
from usage_dashboard.machine.processes import LARGEST_LOG_BYTES, Child, LaunchError, turn_over, wait_until
from usage_dashboard.machine.supervision import QUICK_DEATHS, Supervisor

pytestmark = pytest.mark.faults


def test_orphans_are_known_by_number_and_start_time(tmp_path: Path) -> None:
    orphan, bystander = sleeper(tmp_path, "orphan"), sleeper(tmp_path, "bystander")
    try:
        record(tmp_path, [orphan, bystander])
        entries = json.loads((tmp_path / "processes.json").read_text(encoding="ascii"))
        entries[1]["started_at"] -= 3600  # the number was given to another process since
        (tmp_path / "processes.json").write_text(json.dumps(entries), encoding="ascii")

        assert stop_orphans(tmp_path) == 1

        assert not orphan.is_alive()
        assert bystander.is_alive()
    finally:
        orphan.stop()
        bystander.stop()


def test_a_service_that_keeps_dying_is_given_up_with_the_end_of_its_log(tmp_path: Path) -> None:
    printed: list[str] = []
    supervisor = Supervisor(tmp_path, printed.append)

    def dying() -> Child:
        child = Child(
            "dying", ["/bin/sh", "-c", "echo no such thing; exit 3"], tmp_path / "log" / "dying.log", tmp_path
        )
        child.start()
        return child

    supervisor.start("dying", dying)
    with pytest.raises(LaunchError, match=r"(?s)dying died 5 times.*no such thing"):
        look_without_pauses(supervisor)
    assert len(printed) == QUICK_DEATHS - 1
    supervisor.stop()


def test_a_start_that_fails_is_tried_again_within_the_promised_five(tmp_path: Path) -> None:
    """The first start succeeds, the next ones do not until `fails` is used up."""
    printed: list[str] = []
    fails = [LaunchError("not yet")] * (QUICK_DEATHS - 2)
    supervisor = Supervisor(tmp_path, printed.append)
    service, children = failing(tmp_path, fails), []

    def start() -> Child:
        children.append(service())
        return children[-1]

    supervisor.start("sleeper", start)
    os.kill(children[0].pid, signal.SIGKILL)
    try:
        assert wait_until(lambda: look_once(supervisor) and len(children) == 2, timeout_seconds=10)
        assert children[1].is_alive()
        assert len(printed) == QUICK_DEATHS - 1
        assert sum("did not start" in line for line in printed) == QUICK_DEATHS - 2
    finally:
        supervisor.stop()
    assert not children[1].is_alive()


def test_a_service_that_never_starts_again_is_given_up_however_long_each_start_takes(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, lambda _line: None)
    service, first = failing(tmp_path, [LaunchError("never")] * 100), []

    def start() -> Child:
        for died in supervisor.services[0].deaths.copy():  # as if each start had taken two minutes
            supervisor.services[0].deaths[0] = died - 120
            supervisor.services[0].deaths.rotate(-1)
        first.append(service())
        return first[-1]

    supervisor.start("sleeper", start)
    os.kill(first[0].pid, signal.SIGKILL)
    with pytest.raises(LaunchError, match="did not start as often"):
        look_without_pauses(supervisor)
    supervisor.stop()


def test_a_child_that_ignores_the_signal_is_killed_with_what_it_started(tmp_path: Path) -> None:
    script = "trap '' TERM; (trap '' TERM; sleep 60) & echo $! > inner; wait; sleep 60"
    child = Child("stubborn", ["/bin/sh", "-c", script], tmp_path / "log", tmp_path, stop_timeout_seconds=0.2)
    child.start()
    assert wait_until(
        lambda: (tmp_path / "inner").exists() and (tmp_path / "inner").read_text() != "", timeout_seconds=5
    )
    inner = psutil.Process(int((tmp_path / "inner").read_text()))

    child.stop()

    assert not child.is_alive()
    _, alive = psutil.wait_procs([inner], timeout=5)
    assert alive == [] or alive[0].status() == psutil.STATUS_ZOMBIE


def test_a_log_stays_private_when_it_is_turned_over(tmp_path: Path) -> None:
    log = tmp_path / "log" / "web.log"
    child = Child("quick", ["/bin/true"], log, tmp_path)
    child.start()
    child.stop()
    with log.open("wb") as file:
        file.truncate(LARGEST_LOG_BYTES + 1)
    earlier = log.with_name("web.log.1")
    earlier.touch()
    earlier.chmod(0o644)
    turn_over(log)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (log.parent, log, earlier)] == [0o700, 0o600, 0o600]
    assert earlier.stat().st_size > LARGEST_LOG_BYTES


def look_without_pauses(supervisor: Supervisor) -> None:
    while look_once(supervisor):
        time.sleep(0.01)


def look_once(supervisor: Supervisor) -> bool:
    supervisor.look()
    for service in supervisor.services:
        service.start_again_at = service.start_again_at and 0.0
    return True


def failing(directory: Path, fails: list[LaunchError]) -> Callable[[], Child]:
    """Starts a sleeper: the first time, and again once it has failed as often as there are errors."""
    started: list[Child] = []

    def start() -> Child:
        if started and fails:
            raise fails.pop()
        started.append(sleeper(directory, "sleeper"))
        return started[-1]

    return start


def sleeper(directory: Path, name: str) -> Child:
    child = Child(name, ["/bin/sleep", "60"], directory / "log" / f"{name}.log", directory)
    child.start()
    return child
