"""`manage.py mcp` reads what its admin key may read, asked anew at every call, and says in a sentence what it may not."""

from typing import Any

import pytest
from django.db import transaction

from accounts.clock import database_now
from apikeys.adminkeys.adminkeys import create_admin_key, revoke_admin_key
from apikeys.models import AdminKey
from billing.models import Invoice
from tests.engine import days_ago, make_event, make_key, make_token, roll_up, send
from tests.exports.focus import story
from tests.exports.mcp_server.assistant import Assistant, RefusedError, connected
from tests.exports.openai_api.filled import NUM_DAYS, fill, make_admin_key
from tests.usage.what_for import make_project
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
SCOPES = {
    "get_usage": ["usage"],
    "get_costs": ["costs"],
    "list_api_keys": ["members"],
    "explain_event_routing": ["usage", "members"],
    "get_invoices": ["invoices"],
}


def days() -> dict[str, str]:
    return {"start_date": f"{days_ago(NUM_DAYS).date()}", "end_date": f"{days_ago(0).date()}"}


def arguments(tool: str) -> dict[str, Any]:
    """What a tool must be told."""
    if tool in ("get_usage", "get_costs"):
        return days()
    return {"day": f"{days_ago(1).date()}"} if tool == "explain_event_routing" else {}


def test_without_a_key_or_with_a_wrong_one_every_tool_says_so(world: World) -> None:
    for secret, sentence in (("", "No admin key: set MCP_ADMIN_KEY"), (make_token(), "unknown, expired or revoked")):
        with connected(secret) as assistant:
            assert len(assistant.tools()) == len(SCOPES)
            for tool in SCOPES:
                assert sentence in said(assistant, tool, **arguments(tool))


def test_each_tool_needs_its_scopes_and_names_the_one_that_is_missing(world: World) -> None:
    with connected(make_admin_key(world.acme)) as assistant:
        for scope in AdminKey.Scope.values:
            others = [one for one in AdminKey.Scope.values if one != scope]
            AdminKey.objects.update(scopes=others)
            for tool, needed in SCOPES.items():
                if scope in needed:
                    assert f"does not have the scope `{scope}`" in said(assistant, tool, **arguments(tool))
                else:
                    assistant.call(tool, **arguments(tool))


def test_names_of_people_keys_and_projects_need_the_scope_members(world: World) -> None:
    fill(world, number=20)
    groups = ["user_id", "api_key_id", "project_id", "organization_id"]
    with connected(make_admin_key(world.acme, "usage", "costs")) as assistant:
        answers = [assistant.call(tool, group_by=groups, **days()) for tool in ("get_usage", "get_costs")]
    for answer in answers:
        assert answer["rows"]
        assert "Rita" not in str(answer)
        assert "Search" not in str(answer)
        assert {row["organization_name"] for row in answer["rows"]} == {"Acme"}


def test_a_key_that_is_revoked_or_expires_meanwhile_opens_nothing_more(world: World) -> None:
    key, secret = create_admin_key(organization=world.acme, name="Brief", scopes=["usage"], now=database_now())
    with connected(secret) as assistant:
        assistant.call("get_usage", **days())
        AdminKey.objects.update(expires_at=database_now())
        assert "unknown, expired or revoked" in said(assistant, "get_usage", **days())
        AdminKey.objects.update(expires_at=None)
        assistant.call("get_usage", **days())
        with transaction.atomic():
            revoke_admin_key(admin_key=key, now=database_now())
        assert "unknown, expired or revoked" in said(assistant, "get_usage", **days())


def test_calls_count_against_the_limit_of_the_key_and_its_last_use(world: World) -> None:
    secret = make_admin_key(world.acme)
    refusals = []
    with connected(secret, ADMIN_KEY_REQUESTS_PER_MINUTE="3") as assistant:
        for _ in range(8):  # a minute may end in between
            try:
                assistant.call("get_invoices")
            except RefusedError as error:
                refusals.append(str(error))
    assert refusals
    assert all("Rate limit reached: 3 requests in a minute" in sentence for sentence in refusals)
    key = AdminKey.objects.get()
    assert key.last_used_at is not None
    assert key.num_in_minute == 3


def test_two_organizations_never_see_one_another(world: World) -> None:
    story.happen(world)
    theirs, ours = make_project(world.other, "Theirs"), make_key(world.rita, "Ours")
    charlies = make_key(world.charlie, "Charlies key")
    send([make_event(id="theirs", model="theirs", api_key_id=charlies.public_id)], make_token("another"))
    roll_up()
    with connected(make_admin_key(world.other)) as assistant:
        assert assistant.call("get_usage", **days())["totals"]["input_tokens"] == 100
        assert [row["name"] for row in assistant.call("list_api_keys")["api_keys"]] == ["Charlies key"]
        assert assistant.call("get_invoices")["invoices"] == []
        assert [
            row["user"] for row in assistant.call("explain_event_routing", day=f"{days_ago(1).date()}")["rows"]
        ] == ["Charlie Cole"]
        for foreign in (world.rita.public_id, "user_00000000000000000"):
            assert said(assistant, "get_usage", user_ids=[foreign], **days()) == (
                f"No usage that this admin key reads has “{foreign}”."
            )
        refused = "Nothing that this admin key reads has this id."
        assert said(assistant, "list_api_keys", organization_id=world.acme.public_id) == refused
        assert said(assistant, "list_api_keys", organization_id="org_00000000000000000") == refused
        assert said(assistant, "get_invoices", number=Invoice.objects.exclude(number=None)[0].number) == refused
        assert "there is no" in said(assistant, "list_api_keys", after=ours.public_id)
    with connected(make_admin_key(world.acme)) as assistant:
        ids_of_others = {
            "user_ids": world.charlie.public_id,
            "api_key_ids": charlies.public_id,
            "models": "theirs",
            "project_ids": theirs.public_id,
            "organization_ids": world.other.public_id,
        }
        for name, value in ids_of_others.items():
            for tool in ("get_usage", "get_costs"):
                assert f"that this admin key reads has “{value}”" in said(assistant, tool, **{name: [value]}, **days())
        assert "theirs" not in str(assistant.call("get_costs", group_by=["model"], **days()))


def test_a_child_reads_itself_and_a_parent_its_children(world: World) -> None:
    key = make_key(world.rita)
    send([make_event(api_key_id=key.public_id)], make_token())
    roll_up()
    with connected(make_admin_key(world.labs)) as assistant:
        answer = assistant.call("get_usage", **days())
        assert (answer["totals"], [one["name"] for one in answer["organizations"]]) == ({}, ["Acme Labs"])
        assert "reads has" in said(assistant, "get_usage", organization_ids=[world.acme.public_id], **days())
    with connected(make_admin_key(world.acme)) as assistant:
        answer = assistant.call("get_usage", group_by="organization_id", **days())
        assert [one["name"] for one in answer["organizations"]] == ["Acme", "Acme Japan", "Acme Labs"]
        assert [row["organization_name"] for row in answer["rows"]] == ["Acme"]


def said(assistant: Assistant, tool: str, **asked: Any) -> str:
    """The sentence with which the tool refuses."""
    with pytest.raises(RefusedError) as refused:
        assistant.call(tool, **asked)
    return str(refused.value)
