"""Published tools that read OpenAI's admin API, with its address changed and nothing else, show our sums."""

import csv
import io
import sys
from typing import Any, Final

import anyio
import openai_usage.api
import openai_usage.cli
import pytest
import server as usage_mcp_server
from mcp import Client
from mcp.types import TextContent
from pytest_django.live_server_helper import LiveServer

from accounts.models import Project
from apikeys.models import APIKey
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.exports.openai_api.filled import Filled, fill, make_admin_key
from tests.money import set_price
from tests.usage.what_for import carry, make_project
from tests.world import LONG_AGO, World

VENDOR: Final = "https://api.openai.com"
FIELDS: Final = {
    "completions": "input_tokens",
    "embeddings": "input_tokens",
    "moderations": "input_tokens",
    "images": "images",
    "audio_speeches": "characters",
    "audio_transcriptions": "seconds",
    "vector_stores": "usage_bytes",
    "code_interpreter_sessions": "num_sessions",
}
"""Of the usage types that the server of tools knows, the number that is compared."""


def point(patch: pytest.MonkeyPatch, module: Any, address: str) -> None:
    """The module's addresses of the vendor lead here."""
    for name, value in list(vars(module).items()):
        if isinstance(value, str) and value.startswith(VENDOR):
            patch.setattr(module, name, value.replace(VENDOR, address))


@pytest.fixture
def secret(live_server: LiveServer, world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """The secret of Acme's admin key, where both tools look for one, with the tools pointed at this server."""
    for module in (openai_usage.api, usage_mcp_server):
        point(monkeypatch, module, live_server.url)
    found = make_admin_key(world.acme)
    monkeypatch.setenv("OPENAI_ADMIN_API_KEY", found)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", found)
    return found


@pytest.fixture
def keys(world: World) -> dict[str, APIKey]:
    """One key for each project, which both were used on each of ten days: 100 and 7 tokens a day, and untracked usage."""
    projects = {"Shop": make_project(world.acme, "Shop"), "Default project": None}
    keys = {name: make_key(world.rita, f"Key of {name}") for name in projects}
    for name, project in projects.items():
        if project is not None:
            carry(keys[name], world.acme, since=LONG_AGO, project=project)
    untracked = make_key(world.bob, "Old", created_at=LONG_AGO)
    used = {keys["Shop"]: 100, keys["Default project"]: 7, untracked: 1_000}
    events = [
        make_event(id=f"{key.pk}-{day}", timestamp=days_ago(day), api_key_id=key.public_id, input_tokens=tokens)
        for day in range(1, 11)
        for key, tokens in used.items()
    ]
    assert set(send(events, make_token())) == {"accepted"}
    roll_up()
    return keys


@pytest.mark.usefixtures("keys")
def test_the_usage_report_shows_each_project_its_own_usage(secret: str) -> None:
    found = openai_usage.api.list_projects(secret, return_list=True)
    first, last = (f"{days_ago(day).date()}" for day in (10, 1))
    sums: dict[str, int] = {}
    for project in found:
        days = openai_usage.api.fetch_project_usage(project["id"], secret, {}, first, last)
        assert len(days) == 10
        for row in (row for rows in days.values() for row in rows):
            sums[row["api_key_name"]] = sums.get(row["api_key_name"], 0) + row["input_tokens"]
            assert row["api_key_name"].removeprefix("Key of ") == project["name"]
    assert sums == {"Key of Shop": 1_000, "Key of Default project": 70}


@pytest.mark.usefixtures("secret", "keys")
def test_the_table_of_the_usage_report_shows_our_costs(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(openai_usage.cli, "load_pricing", lambda: {"gpt-4o": {"input": 1000.0, "output": 0.0}})
    first, last = (f"{days_ago(day).date()}" for day in (10, 1))
    monkeypatch.setattr(sys, "argv", ["openai-usage", "-sd", first, "-ed", last, "-gb", "project"])
    openai_usage.cli.main()
    printed = capsys.readouterr()
    assert "Error" not in printed.err
    assert "Key of Shop" in printed.out
    assert "1.07" in printed.out.splitlines()[-2]  # (1,000 + 70) tokens at $1,000 for a million


@pytest.fixture
def filled(world: World) -> Filled:
    set_price("gpt-4o", "0.000001", start="2026-01-01")
    return fill(world)


@pytest.mark.usefixtures("secret")
def test_the_tools_of_the_usage_server_tell_our_sums(world: World, filled: Filled) -> None:
    first = {"start_time": f"{days_ago(3).date()}"}
    calls = {name: (f"openai_get_organization_usage_{name}", {**first, "group_by": ["project_id"]}) for name in FIELDS}
    calls["costs"] = ("openai_get_organization_costs", {**first, "group_by": ["line_item", "project_id"]})
    answers = ask_all(calls)
    ids_of_projects = {found.public_id for found in Project.objects.filter(organization=world.acme)}
    for name, field in FIELDS.items():
        sent = sum(event.get(field) or 0 for event in filled.events if event["usage_type"] == name)
        assert sum(int(row[field] or 0) for row in answers[name]) == sent > 0, name
        assert {row["project_id"] for row in answers[name]} <= ids_of_projects
    assert sum(float(row["amount.value"]) for row in answers["costs"]) > 0


@pytest.mark.usefixtures("secret")
def test_its_filters_and_lists_are_answered(world: World, filled: Filled) -> None:
    first = {"start_time": f"{days_ago(3).date()}"}
    narrow = {"models": ["gpt-4o", "gpt-x"], "project_ids": filled.projects, "user_ids": [world.rita.public_id]}
    default = Project.objects.get(organization=world.acme, is_default=True)
    answers = ask_all(
        {
            "usage": (
                "openai_get_organization_usage_completions",
                {**first, **narrow, "batch": False, "group_by": ["user_id", "service_tier", "batch"]},
            ),
            "users": ("openai_get_organization_users", {"emails": ["rita@acme.test", "bob@acme.test"]}),
            "user": ("openai_get_organization_user", {"user_id": world.rita.public_id}),
            "projects": ("openai_get_organization_projects", {"include_archived": True}),
            "keys": ("openai_get_organization_project_api_keys", {"project_id": default.public_id}),
            "keys of none": ("openai_get_organization_project_api_keys", {"project_id": "default"}),
        }
    )
    sent = sum(
        event["input_tokens"]
        for event in filled.events
        if (event["usage_type"], event["model"], event["user_id"], event["batch"])
        == ("completions", "gpt-4o", world.rita.public_id, False)
        and event["project_id"] is not None
    )
    assert sum(int(row.get("input_tokens") or 0) for row in answers["usage"]) == sent
    assert [row["email"] for row in answers["users"]] == ["bob@acme.test", "rita@acme.test"]
    assert [row["name"] for row in answers["user"]] == ["Rita Rao"]
    assert {"Search", "Chat"} < {row["name"] for row in answers["projects"]}
    assert len(answers["keys"]) == 7
    assert answers["keys of none"] == [{"value": ""}]


def ask_all(calls: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, list[dict[str, str]]]:
    """The rows of CSV that each tool answers."""

    async def talk() -> dict[str, list[dict[str, str]]]:
        rows = {}
        async with Client(usage_mcp_server.mcp) as client:
            for name, (tool, arguments) in calls.items():
                result = await client.call_tool(tool, arguments)
                content = result.content[0]
                assert isinstance(content, TextContent)
                assert not result.is_error, (tool, content.text)
                rows[name] = list(csv.DictReader(io.StringIO(content.text)))
        return rows

    return anyio.run(talk)
