"""Keeps services running: starts them in order, starts one that died again, stops all of them in reverse order."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from usage_dashboard.machine import interrupts
from usage_dashboard.machine.orphans import record
from usage_dashboard.machine.processes import Child, LaunchError, last_lines, turn_over

QUICK_DEATHS = 5
QUICK_DEATHS_WITHIN_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.2
LOGS_EVERY_LOOKS = 300

Write = Callable[[str], object]


@dataclass
class Service:
    """One program that has to run: `start` returns when it is started (a server: when it answers)."""

    name: str
    start: Callable[[], Child]
    is_server: bool = False
    child: Child | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=QUICK_DEATHS))
    failed_starts: int = 0  # since one that did not fail
    start_again_at: float | None = None

    def is_given_up(self) -> bool:
        """After five deaths within a minute, or five starts that failed in a row, however long each of them took."""
        many = len(self.deaths) == QUICK_DEATHS
        return self.failed_starts == QUICK_DEATHS or (
            many and self.deaths[-1] - self.deaths[0] < QUICK_DEATHS_WITHIN_SECONDS
        )


class Supervisor:
    """The services of one DATA_DIR, in the order in which they were started."""

    def __init__(self, data_dir: Path, write: Write) -> None:
        self.data_dir = data_dir
        self.write = write
        self.services: list[Service] = []

    def start(self, name: str, start: Callable[[], Child], *, is_server: bool = False) -> None:
        """Start a service and look after it from now on. Raises LaunchError if it does not come up."""
        service = Service(name, start, is_server)
        self.services.append(service)
        self._start(service)

    def watch(self) -> None:
        """Look after the services. Raises Interrupted when someone asks to stop, LaunchError when one keeps dying."""
        looks = 0
        while True:
            interrupts.check()
            self.look()
            looks += 1
            if looks % LOGS_EVERY_LOOKS == 0:
                self._turn_logs_over()
            time.sleep(LOOK_EVERY_SECONDS)

    def look(self) -> None:
        """Notice services that died, and start them again after a moment: longer each time."""
        for service in self.services:
            if service.start_again_at is None:
                if service.child is None or not service.child.is_alive():
                    self._mourn(service, "ended unexpectedly")
            elif time.monotonic() >= service.start_again_at:
                self._start_again(service)

    def stop(self) -> None:
        """Stop all services, programs before the servers that they use; nothing of them is left."""
        for are_servers in (False, True):
            children = [
                service.child for service in self.services if service.is_server == are_servers and service.child
            ]
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.stop()
        self.services.clear()
        record(self.data_dir, [])

    def _start(self, service: Service) -> None:
        service.start_again_at = None
        service.child = service.start()
        record(self.data_dir, [other.child for other in self.services if other.child is not None])

    def _start_again(self, service: Service) -> None:
        """A start that fails is one more death: what is in its way may be gone at the next one."""
        try:
            self._start(service)
        except LaunchError:
            service.child = None
            service.failed_starts += 1
            self._mourn(service, "did not start")
        else:
            service.failed_starts = 0

    def _mourn(self, service: Service, what_happened: str) -> None:
        log = self.data_dir / "log" / f"{service.name}.log"
        if service.child is not None:
            service.child.stop()
        service.deaths.append(time.monotonic())
        if service.is_given_up():
            raise LaunchError(
                f"{service.name} died {QUICK_DEATHS} times within {QUICK_DEATHS_WITHIN_SECONDS:.0f} s, or did not start "
                f"as often. The end of {log}:\n{last_lines(log)}"
            )
        wait_seconds = 2.0 ** len(service.deaths) / 4
        self.write(f"{service.name} {what_happened} and is started again (its log: {log})")
        service.start_again_at = time.monotonic() + wait_seconds

    def _turn_logs_over(self) -> None:
        for log in (self.data_dir / "log").glob("*.log"):
            turn_over(log)
