"""Figure: requests per second with one event each from 32 clients, beside an empty Django view on the same server."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

from django.conf import settings
from django.db import connection

from benchmarks.ingest.batches import empty_tables, prepare
from benchmarks.ingest.empty_view import PATH as EMPTY_PATH
from benchmarks.load.client import Client, post_head
from benchmarks.load.events import PATH, event_of, templates
from benchmarks.load.servers import BARE_PORT, BARE_SETTINGS, EMPTY_PORT, EMPTY_SETTINGS, HOST, WEB_PORT, program
from benchmarks.load.together import run_together
from benchmarks.load.world import World
from benchmarks.measure import Figure, Measure, compare, in_turn

PATHS: Final = {WEB_PORT: PATH, EMPTY_PORT: EMPTY_PATH, BARE_PORT: EMPTY_PATH}
NUM_CLIENTS: Final = 32
NUM_WRK_THREADS: Final = 2
NUM_BODIES: Final = 1_000
WANT: Final = 0.40
RUN_MARK: Final = "RRRRRRRR"
CLIENT_MARK: Final = "CCCC"
NUMBER_MARK: Final = "NNNNNNNN"
EVENT_ID: Final = f"{RUN_MARK}-0000-4000-{CLIENT_MARK}-0000{NUMBER_MARK}"

# wrk's request generator: each thread cycles through the bodies and gives every event an id of its own.
WRK_SCRIPT: Final = """
local threads, number = 0, 0
function setup(thread) thread:set("client", string.format("%%04x", threads)); threads = threads + 1 end
local bodies = {
%(bodies)s
}
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer %(token)s"
wrk.headers["Content-Type"] = "application/json"
function request()
    number = number + 1
    local body = bodies[number %% #bodies + 1]
    return wrk.format(nil, nil, nil, body[1] .. client .. body[2] .. string.format("%%08x", number) .. body[3])
end
"""
_runs = count(1)


@dataclass(frozen=True, slots=True)
class Answered:
    """Requests that were answered, and how many that was in each second of load."""

    number: int
    per_second: float


def measure(world: World, *, quick: bool) -> Figure:
    """The figure; all servers run all the time, and get the same requests in turn.

    The limit has the product's settings, middleware included. Usage events go past that, so the notes say what a view
    without it does; not in quick mode.
    """
    seconds = 1.0 if quick else 8.0
    prebuilt = templates(world, 1, batch=NUM_BODIES)
    prepare(prebuilt)
    bodies = [event_of(world, sample, EVENT_ID) for sample in prebuilt[0].samples]
    load = wrk if shutil.which("wrk") else python_clients
    servers = {WEB_PORT: {}, EMPTY_PORT: EMPTY_SETTINGS, **({} if quick else {BARE_PORT: BARE_SETTINGS})}
    with ExitStack() as stack:
        for port, environment in servers.items():
            stack.enter_context(program("web", port=port, environment=environment))
            load(world, bodies, port, seconds / 2)
        loads = {port: partial(load, world, bodies, port, seconds) for port in servers}
        measures: dict[str, Measure] = {str(port): partial(_rate, loads[port]) for port in servers}
        measures[str(WEB_PORT)] = partial(_stored_rate, loads[WEB_PORT])
        results = in_turn(measures, repeats=3 if quick else 7)
    notes = {"clients": NUM_CLIENTS, "load generator": load.__name__.replace("_", " "), "seconds per repeat": seconds}
    if not quick:
        notes["an empty view without middleware, requests/s"] = median(results[str(BARE_PORT)])
    return compare(
        "ingest_single",
        unit="requests/s",
        values=results[str(WEB_PORT)],
        limits=results[str(EMPTY_PORT)],
        want=WANT,
        notes=notes,
    )


def _rate(load: partial[Answered]) -> float:
    return load().per_second


def _stored_rate(load: partial[Answered]) -> float:
    """The rate of requests, once it is sure that each of them stored its event."""
    empty_tables()
    answered = load()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metering_usageevent")
        (num_stored,) = cursor.fetchone()
    require_stored(answered, num_stored)
    return answered.per_second


def require_stored(answered: Answered, num_stored: int) -> None:
    """Raises RuntimeError if fewer events are stored than requests were answered; of some the answer came too late to count."""
    if num_stored < answered.number:
        raise RuntimeError(f"{answered.number} requests were answered, but {num_stored} events are stored.")


def wrk(world: World, bodies: list[dict[str, object]], port: int, seconds: float) -> Answered:
    """By wrk, which takes little of the processor that it shares with the server."""
    script = Path(settings.DATA_DIR) / "single.lua"
    script.write_text(_wrk_script(world, bodies, next(_runs)), encoding="utf-8")
    command = [
        *("wrk", f"-t{NUM_WRK_THREADS}", f"-c{NUM_CLIENTS}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"),
        *("-s", str(script), f"http://{HOST}:{port}{PATHS[port]}"),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    return said_by_wrk(done.stdout)


def said_by_wrk(text: str) -> Answered:
    """What its report says. Raises RuntimeError if it met errors, or says something else."""
    number, rate = re.search(r"(\d+) requests in ", text), re.search(r"Requests/sec: *([\d.]+)", text)
    if number is None or rate is None or "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"wrk met errors:\n{text}")
    return Answered(int(number[1]), float(rate[1]))


def python_clients(world: World, bodies: list[dict[str, object]], port: int, seconds: float) -> Answered:
    """By as many processes as clients: where wrk is not installed. They take more of the processor."""
    run = next(_runs)
    clients = [
        partial(_ask, port, seconds, _requests(world, bodies, PATHS[port], run, number))
        for number in range(NUM_CLIENTS)
    ]
    together = run_together(clients)
    return Answered(sum(together.results), sum(together.results) / together.seconds)


def _wrk_script(world: World, bodies: list[dict[str, object]], run: int) -> str:
    lines = []
    for body in bodies:
        first, rest = _text(body, run).split(CLIENT_MARK)
        second, third = rest.split(NUMBER_MARK)
        lines.append(f"{{{json.dumps(first)}, {json.dumps(second)}, {json.dumps(third)}}},")
    return WRK_SCRIPT % {"bodies": "\n".join(lines), "token": world.token}


def _requests(world: World, bodies: list[dict[str, object]], path: str, run: int, client: int) -> Iterator[bytes]:
    texts = [_text(body, run).replace(CLIENT_MARK, f"{client:04x}").encode() for body in bodies[client::NUM_CLIENTS]]
    prebuilt = [post_head(path, token=world.token, num_bytes=len(text)) + text for text in texts]
    return (prebuilt[n % len(prebuilt)].replace(NUMBER_MARK.encode(), b"%08x" % n) for n in count())


def _text(body: dict[str, object], run: int) -> str:
    return json.dumps(body, separators=(",", ":")).replace(RUN_MARK, f"{run:08x}")


def _ask(port: int, seconds: float, requests: Iterator[bytes]) -> int:
    client, deadline, answered = Client(port), time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        client.exchange(next(requests))
        answered += 1
    return answered
