"""`rediss://`: Celery, `/readyz` and the cache check the server's certificate alike.

A fresh process asks each of the three, as web and workers do, through a TLS server of the test's own before the real Valkey.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest
from django.conf import settings

from tests.machines.certificates import Authority
from usage_dashboard.machine.embedded import REDIS_SOCKET, socket_directory

ASK_ALL_THREE: Final = """
import django, json; django.setup()
from django.core.cache import caches
from usage_dashboard.celery import app
from usage_dashboard.monitoring.broker import queue_lengths
def celery():
    with app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=3)
        return broker.channel().client.ping()
def cache():
    return caches["default"].redis._cache.get_client(None).ping()
def answers(ask):
    try:
        return bool(ask())
    except Exception as error:
        assert "CERTIFICATE_VERIFY_FAILED" in str(error), str(error)
        return False
print(json.dumps({"celery": answers(celery), "readyz": queue_lengths() is not None, "cache": answers(cache)}))
"""


class TLSServer:
    """Ends TLS before Valkey's socket, and counts whom it let in."""

    def __init__(self, certificate: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listening.getsockname()[1])
        self.num_handshakes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            suppress(OSError),
            self.context.wrap_socket(client, server_side=True) as secure,
            socket.socket(socket.AF_UNIX) as valkey,
        ):
            self.num_handshakes += 1
            valkey.connect(str(socket_directory(Path(settings.DATA_DIR)) / REDIS_SOCKET))
            threading.Thread(target=pump, args=[valkey, secure], daemon=True).start()
            pump(secure, valkey)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "localhost")


@pytest.fixture
def server(authority: Authority, redis_server: None) -> Iterator[TLSServer]:
    server = TLSServer(authority.server)
    with closing(server.listening):
        yield server


def test_with_the_authority_in_redis_ca_file_all_three_come_in(authority: Authority, server: TLSServer) -> None:
    assert asked(f"rediss://localhost:{server.port}/0", REDIS_CA_FILE=str(authority.certificates)) == alike(answer=True)
    assert server.num_handshakes >= 3


def test_none_of_the_three_takes_a_certificate_of_an_unknown_authority(server: TLSServer) -> None:
    assert asked(f"rediss://localhost:{server.port}/0") == alike(answer=False)


def test_none_of_the_three_takes_a_certificate_of_another_host(authority: Authority, server: TLSServer) -> None:
    url = f"rediss://127.0.0.1:{server.port}/0"
    assert asked(url, REDIS_CA_FILE=str(authority.certificates)) == alike(answer=False)


def alike(*, answer: bool) -> dict[str, bool]:
    return dict.fromkeys(("celery", "readyz", "cache"), answer)


def asked(url: str, **environment: str) -> dict[str, bool]:
    """Who of the three got an answer."""
    completed = subprocess.run(
        [sys.executable, "-c", ASK_ALL_THREE],
        env={**os.environ, "REDIS_URL": url, "CACHE_REDIS_TIMEOUT_SECONDS": "10", **environment},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    answers: dict[str, bool] = json.loads(completed.stdout)
    return answers


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
