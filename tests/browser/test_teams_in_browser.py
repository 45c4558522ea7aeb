"""Where money goes, in a real browser: a team is declared, its usage is read and narrowed to, its budget stops its key."""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest
from django.test import override_settings
from playwright.sync_api import Page, expect

from accounts.clock import database_now
from apikeys.models import APIKey
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene
from tests.engine import make_key, make_token, roll_up

ACME: Final = "/settings/organization/acme/"
ACTIVITY: Final = f"{ACME}usage/activity/"
COST: Final = f"{ACME}usage/cost/"


class Gateway:
    """A gateway that reports usage to the running server, and asks it about keys."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.secret = make_token("teams")

    def send(self, events: list[dict[str, Any]]) -> list[str]:
        """What became of each event."""
        return [result["status"] for result in self._post("/v1/usage/events", events)["results"]]

    def ask(self, key: APIKey) -> dict[str, Any]:
        """Whether the key may call."""
        return self._post("/v1/keys/verify", {"api_key_id": key.public_id})

    def _post(self, path: str, body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        with urlopen(Request(self.server + path, json.dumps(body).encode(), headers), timeout=20) as answer:  # noqa: S310 - our own server
            answered: dict[str, Any] = json.load(answer)
            return answered


@pytest.fixture(scope="module")
def gateway(server: str) -> Iterator[Gateway]:
    with override_settings(
        INGESTION_WRITE_SECONDS=0
    ):  # a thread that writes would keep the database from being dropped
        yield Gateway(server)


def event(key: APIKey, number: int, **fields: Any) -> dict[str, Any]:
    at = database_now().isoformat()
    usage = {"usage_type": "completions", "model": "gpt-4o", "input_tokens": 100_000, "output_tokens": 20_000}
    return {"id": f"of-{key.name}-{number}", "timestamp": at, "api_key_id": key.public_id, **usage, **fields}


def test_a_team_is_declared_read_narrowed_to_and_stopped(browse: OpenBrowser, scene: Scene, gateway: Gateway) -> None:
    red, plain = make_key(scene.world.rita, "red"), make_key(scene.world.rita, "plain")
    window = browse(scene.world.alice)
    page = window.open(f"{ACME}attributes/")
    page.get_by_label("Name", exact=True).fill("team")
    page.get_by_label("Title", exact=True).fill("Team")
    page.get_by_role("button", name="Declare", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("“Team” declared.")
    give(page, window.server, red, "Red")

    blue = {"attributes": {"team": "Blue"}}
    events = [event(red, 1, num_model_requests=4), event(red, 2, num_model_requests=5)]
    events += [event(plain, 1, num_model_requests=3, **blue), event(plain, 2, num_model_requests=2)]
    assert gateway.send(events) == ["accepted"] * 4
    roll_up()

    page.goto(window.server + ACTIVITY)
    window.settle()
    teams = page.get_by_role("region", name="Top teams").get_by_role("listitem")
    expect(teams).to_have_count(3)
    expect(teams.nth(0)).to_contain_text("No team")
    expect(teams.nth(1)).to_contain_text("Red")
    expect(teams.nth(2)).to_contain_text("Blue")
    teams.get_by_role("link", name="Red").click()
    page.wait_for_url("**attribute=team%3ARed**")
    window.settle()
    assert window.text("#chart-requests .card-total") == "9"
    page.get_by_role("link", name="Remove filter Team Red").click()
    expect(page.get_by_role("link", name="Remove filter Team Red")).to_have_count(0)

    for address in (f"{ACTIVITY}?group_by=attribute:team&tokens=group", f"{COST}?group_by=attribute:team"):
        page.goto(window.server + address)
        window.settle()
        expect(page.get_by_role("link", name="No team").first).to_be_visible()

    assert gateway.ask(red)["allowed"]
    limit(page, window.server, "Red")
    page.wait_for_timeout(1_100)  # the answer before is remembered for a second
    answer = gateway.ask(red)
    assert (answer["allowed"], answer["budget"]) == (False, "attribute")
    assert gateway.ask(plain)["allowed"]


def give(page: Page, server: str, key: APIKey, team: str) -> None:
    """The owner gives a member's key the team."""
    page.goto(f"{server}{ACME}keys/{key.public_id}/attribution/")
    page.get_by_label("Team", exact=True).fill(team)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Earlier usage is unchanged")


def limit(page: Page, server: str, team: str) -> None:
    """The owner sets a hard budget of a cent for the team."""
    page.goto(f"{server}{ACME}billing/budgets/new/?about=attribute")
    page.get_by_role("combobox", name="Attribute").select_option("team")
    page.get_by_label("Value", exact=True).fill(team)
    page.get_by_label("Monthly budget in US dollars").fill("0.01")
    page.get_by_label("Block what the budget covers").check()
    page.get_by_role("button", name="Save budget").click()
    expect(page.get_by_text("Budget saved.")).to_be_visible()
