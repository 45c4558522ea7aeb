"""Through the real server: bodies in chunks are taken like any other, and one that is cut off is none."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from tests.faults.harness import HOST, Stack
from tests.faults.load import PATH
from tests.faults.proof import Scenario

pytestmark = pytest.mark.faults
PIECE_BYTES = 1_000


def test_events_in_chunks_are_stored(stack: Stack, scenario: Scenario) -> None:
    load = scenario.load
    load.num_wanted = 200
    numbers = range(load.num_wanted)
    status, answer = post_in_chunks(stack, PATH, load.events.body(numbers), secret=scenario.secret)
    assert load.ledger.note(numbers, status, answer), answer
    scenario.require_exactly_once()


def test_a_question_in_chunks_is_answered(stack: Stack, scenario: Scenario) -> None:
    status, answer = post_in_chunks(stack, "/v1/keys/verify", b'{"key": "sk-unknown"}', secret=scenario.secret)
    assert (status, json.loads(answer)["reason"]) == (200, "unknown_key")


def test_chunks_that_are_cut_off_are_not_taken_for_a_whole_body(stack: Stack, scenario: Scenario) -> None:
    body = scenario.load.events.body([10_000_000])
    head = f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {scenario.secret}\r\n"
    with socket.create_connection((HOST, stack.plan.port), timeout=10) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(4096), b""))
    assert not received or b'"incomplete_body"' in received
    scenario.require_exactly_once()  # nothing


def test_headers_with_underscores_do_not_reach_the_application(stack: Stack, scenario: Scenario) -> None:
    """A length in such a header would cut the body short."""
    load = scenario.load
    load.num_wanted = 1
    headers = {"Content_Length": "2", "Content_Encoding": "br"}
    status, answer = post_in_chunks(stack, PATH, load.events.body([0]), secret=scenario.secret, headers=headers)
    assert load.ledger.note([0], status, answer), answer
    scenario.require_exactly_once()


def post_in_chunks(
    stack: Stack, path: str, body: bytes, *, secret: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    web = http.client.HTTPConnection(HOST, stack.plan.port, timeout=10)
    own = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", **(headers or {})}
    web.request("POST", path, pieces(body), own, encode_chunked=False)
    response = web.getresponse()
    answer = response.status, response.read()
    web.close()
    return answer


def pieces(body: bytes) -> Iterator[bytes]:
    """http.client sends what has no length in chunks."""
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]
