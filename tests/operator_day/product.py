"""A fresh product of our own, in a directory and at a port of its own: its addresses and its commands."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Final

from tests.operator_day.steps import step

ROOT: Final = Path(__file__).resolve().parent.parent.parent
HOST: Final = "127.0.0.1"
START_SECONDS, STOP_SECONDS, ANSWER_SECONDS, COMMAND_SECONDS = 180, 60, 300, 300
OF_OTHERS: Final = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SITE_ADDRESS", "DEMO", "DJANGO_SETTINGS_MODULE")
# The worker closes months by itself every hour. Until the day comes to that, it shall only draft.
GRACE: Final = {"INVOICE_GRACE_DAYS": "60"}
LINK: Final = re.compile(r"http://\S+?(/first-start/\?code=\S+)")


@dataclass(frozen=True)
class Answer:
    """What an address answered."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Product:
    """What runs. It keeps cookies, as a browser does; `first_start` is the address that it printed."""

    environment: Mapping[str, str]
    port: int
    first_start: str = ""
    cookies: SimpleCookie = field(default_factory=SimpleCookie)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request; `Content_Type` is the header Content-Type."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())
        web = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_SECONDS)
        try:
            web.request(method, path, body, sent)
            response = web.getresponse()
            text = response.read().decode()
        finally:
            web.close()
        for cookie in response.headers.get_all("Set-Cookie", []):
            self.cookies.load(cookie)
        return Answer(response.status, response.headers, text)

    def manage(self, *arguments: str, **environment: str) -> str:
        """What a command prints. Raises where it fails."""
        command = [sys.executable, "manage.py", *arguments]
        own = {**self.environment, **environment}
        done = subprocess.run(
            command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def fresh() -> Iterator[Product]:
    """The product as `make run` starts it, empty; stopped and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="usage-dashboard-day-", ignore_cleanup_errors=True) as directory:
        inherited = {name: value for name, value in os.environ.items() if name not in OF_OTHERS}
        port = _free_port()
        environment = {**inherited, **GRACE, "DATA_DIR": f"{directory}/data", "PORT": str(port)}
        printed = Path(directory) / "printed"
        with printed.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "run"], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        try:
            with step("make run, with nothing there"):
                first_start = _first_start(printed, process)
            yield Product(environment, port, first_start)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=STOP_SECONDS)


def _first_start(printed: Path, process: "subprocess.Popen[bytes]") -> str:
    """The address for the first person, which is printed when everything runs."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := LINK.search(printed.read_text()):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"The product did not start: {printed.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
