"""INIT_… through `make run`: a wrong value stops it, the first start makes what it says, and a second one says nothing."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

import pytest

from tests.usage_dashboard.machine.test_launcher import Launched, data_dir, port  # noqa: F401 - fixtures

pytestmark = pytest.mark.faults
TOKEN: Final = "it-" + "a1B2c3D4" * 5
SITE: Final = "http://usage.northwind.test"


def launch(data_dir: Path, port: int, **said: str) -> Launched:  # noqa: F811 - the fixtures' values
    return Launched(data_dir, port, INIT_EMAIL="olivia@operator.test", SITE_ADDRESS=SITE, **said)


def test_a_launch_without_a_browser(data_dir: Path, port: int) -> None:  # noqa: F811 - the fixtures
    """One story, because a first start takes seconds."""
    wrong = launch(data_dir, port, INIT_PASSWORD="short", INIT_ORGANIZATION="Northwind")
    assert wrong.process.wait(120) == 1
    assert "INIT_PASSWORD: This password is too short." in wrong.text()
    assert "Traceback" not in wrong.text()
    assert "Ready at" not in wrong.text()

    said = {"INIT_ORGANIZATION": "Northwind", "INIT_INGEST_TOKEN": TOKEN}
    first = launch(data_dir, port, **said)
    try:
        first.wait_until_ready()
        assert "olivia@operator.test is the first of staff." in first.text()
        assert first.text().count(f"{SITE}/accounts/password/reset/key/") == 1
        assert f"Ready at {SITE} " in first.text()
        assert "Nobody is staff yet" not in first.text()
        assert TOKEN not in first.text()
        assert asked(port, TOKEN) == 200
        assert asked(port, f"{TOKEN}x") == 401
    finally:
        first.end()

    second = launch(data_dir, port, **said)
    try:
        second.wait_until_ready()
        assert "staff" not in second.text()
        assert "/accounts/password/reset/key/" not in second.text()
    finally:
        second.end()


def asked(port: int, token: str) -> int:  # noqa: F811 - the fixture's value
    """The status of a request with a token that reports nothing."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://localhost:{port}/v1/usage/events", b"[]", headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
