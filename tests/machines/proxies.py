"""A small proxy, as operators have them in front of web: it ends TLS, says who asked and how, and passes paths on."""

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

HOP_BY_HOP: Final = ("connection", "keep-alive", "transfer-encoding", "content-length")


class Proxy(ThreadingHTTPServer):
    """Listens on a port of its own at once; passes on what it gets to `upstream`, once that is set.

    `strips` is a path that it takes off, naming it in `X-Forwarded-Prefix`.
    """

    daemon_threads = True

    def __init__(self, certificate: Path, *, strips: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.strips = strips
        self.upstream = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that leaves is no news."""


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        web = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)
        try:
            web.request(self.command, self._path(), body or None, self._headers())
            answer = web.getresponse()
            content = answer.read()
        finally:
            web.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_HEAD = answer  # noqa: N815 - the library's names

    def _path(self) -> str:
        return self.path.removeprefix(self.server.strips) or "/"

    def _headers(self) -> dict[str, str]:
        sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": self.client_address[0]}
        prefix = {"X-Forwarded-Prefix": self.server.strips} if self.server.strips else {}
        return {**sent, **forwarded, **prefix}

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@contextmanager
def serving(proxy: Proxy) -> Iterator[Proxy]:
    """The proxy at work, in a thread."""
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
