"""A server for the usage client that answers as a test says, and remembers what came."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], Any]


@dataclass
class Flaky:
    """`answers` are given one after the other, then everything is accepted. `batches` are the events of each request."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    batches: list[list[dict[str, Any]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def ids(self) -> list[list[str]]:
        return [[event["id"] for event in batch] for batch in self.batches]


@contextmanager
def serving(flaky: Flaky) -> Iterator[Flaky]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
            flaky.batches.append([json.loads(line) for line in body.splitlines()])
            flaky.times.append(time.monotonic())
            accepted = {"results": [{"status": "accepted"} for _ in flaky.batches[-1]]}
            status, headers, answer = flaky.answers.pop(0) if flaky.answers else (200, {}, accepted)
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_said: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        flaky.url = f"http://127.0.0.1:{server.server_port}"
        yield flaky
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
