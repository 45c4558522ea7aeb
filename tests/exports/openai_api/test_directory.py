"""The lists of OpenAI's admin API: projects, users, keys, and the budget as its spend limit and alerts."""

import json
from decimal import Decimal
from typing import Any

import pytest

from accounts.changes import organization_change
from accounts.models import Organization
from accounts.projects.projects import archive_project
from billing.alerts import Budget
from tests.engine import days_ago, make_key
from tests.exports.openai_api.filled import ask, make_admin_key
from tests.usage.what_for import carry, make_project
from tests.world import World


def get(secret: str, address: str, **query: Any) -> Any:
    answer = ask(secret, address, query)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def names(found: Any) -> list[str]:
    return [one["name"] for one in found["data"]]


@pytest.fixture
def secret(world: World) -> str:
    return make_admin_key(world.acme)


def test_projects_are_listed_and_told_one_by_one(world: World, secret: str) -> None:
    shop, old = make_project(world.acme, "Shop"), make_project(world.acme, "Old")
    with organization_change(world.acme) as now:
        archive_project(project=old, now=now)
    assert names(get(secret, "projects")) == [
        "Default project",
        "Default project",
        "Shop",
    ]  # of the children, and its own
    assert "Old" in names(get(secret, "projects", include_archived="true"))
    assert get(secret, f"projects/{shop.public_id}")["name"] == "Shop"
    assert get(secret, f"projects/{old.public_id}")["status"] == "archived"
    assert get(make_admin_key(world.labs), "projects")["data"] == [get(make_admin_key(world.labs), "projects/default")]


def test_what_the_key_does_not_read_does_not_exist(world: World, secret: str) -> None:
    theirs = make_project(world.other, "Theirs")
    make_admin_key(world.other)
    addresses = {
        "projects/{}": theirs.public_id,
        "projects/{}/api_keys": theirs.public_id,
        "users/{}": world.charlie.public_id,
        "admin_api_keys/{}": world.other.admin_keys.get().public_id,
    }
    for address, foreign in addresses.items():
        prefix = foreign.partition("_")[0]
        answers = [ask(secret, address.format(one)) for one in (foreign, f"{prefix}_00000000000000000")]
        assert [answer.status_code for answer in answers] == [404, 404], address
        assert answers[0].content == answers[1].content


def test_lists_are_paged_without_gap_or_repeat(world: World, secret: str) -> None:
    for number in range(7):
        make_project(world.acme, f"Project {number}")
    found, page = [], get(secret, "projects", limit=2)
    found += page["data"]
    while page["has_more"]:
        page = get(secret, "projects", limit=2, after=page["last_id"])
        found += page["data"]
    assert found == get(secret, "projects", limit=100)["data"]
    assert get(secret, "projects", **{"limit[]": 2, "after[0]": found[1]["id"]})["data"] == found[2:4]
    assert len({one["id"] for one in found}) == len(found) == 9


def test_users_have_their_role_and_can_be_asked_for_by_email(world: World, secret: str) -> None:
    found = get(secret, "users")["data"]
    assert [(one["email"], one["role"]) for one in found] == [
        ("alice@acme.test", "owner"),
        ("bob@acme.test", "admin"),
        ("rita@acme.test", "reader"),
    ]
    for name, asked in (
        ("emails", "RITA@acme.test"),
        ("emails[]", "RITA@acme.test"),
        ("emails[0]", "RITA@acme.test"),
        ("emails", "nobody@acme.test,RITA@acme.test"),
    ):
        assert [one["email"] for one in get(secret, "users", **{name: asked})["data"]] == ["rita@acme.test"], name
    assert get(secret, f"users/{world.bob.public_id}")["name"] == "Bob Byrd"


def test_a_project_has_the_keys_whose_usage_is_for_it(world: World, secret: str) -> None:
    shop = make_project(world.acme, "Shop")
    make_key(world.bob, "Bobs")
    carry(make_key(world.rita, "Ritas"), world.acme, since=days_ago(2), project=shop)
    default = world.acme.projects.get(is_default=True)
    assert names(get(secret, f"projects/{shop.public_id}/api_keys")) == ["Ritas"]
    assert names(get(secret, f"projects/{default.public_id}/api_keys")) == ["Bobs"]
    (key,) = get(secret, f"projects/{shop.public_id}/api_keys")["data"]
    assert get(secret, f"projects/{shop.public_id}/api_keys/{key['id']}") == key
    assert ask(secret, f"projects/{default.public_id}/api_keys/{key['id']}").status_code == 404
    assert (key["owner"]["user"]["email"], key["redacted_value"][:6]) == ("rita@acme.test", "sk-...")


def test_the_default_project_without_an_id_has_the_keys_of_who_never_needed_another(world: World, secret: str) -> None:
    make_key(world.bob, "Bobs")
    make_key(world.charlie, "Charlies")
    make_key(world.rita, "Ritas", expires_at=days_ago(1))
    assert names(get(secret, "projects/default/api_keys")) == ["Bobs"]
    make_project(world.acme, "Shop")  # from now on Acme's default project has an id, and its children's still has none
    assert names(get(secret, "projects/default/api_keys")) == []
    make_project(world.other, "Shop")
    assert ask(make_admin_key(world.other), "projects/default/api_keys").status_code == 404


def test_the_list_of_admin_keys_never_shows_a_secret(world: World, secret: str) -> None:
    make_admin_key(world.labs)
    answer = ask(secret, "admin_api_keys")
    assert secret.encode() not in answer.content
    (key,) = json.loads(answer.content)["data"]  # those of its children are their own
    assert key["redacted_value"] == f"sk-admin-...{secret[-3:]}"


def test_a_hard_budget_is_the_spend_limit_and_its_shares_are_alerts(world: World, secret: str) -> None:
    assert ask(secret, "spend_limit").status_code == 404
    assert get(secret, "spend_alerts")["data"] == []
    budget(world.acme)
    limit = get(secret, "spend_limit")
    assert (limit["threshold_amount"], limit["currency"], limit["enforcement"]) == (
        12_345,
        "USD",
        {"status": "enforcing"},
    )
    alerts = get(secret, "spend_alerts", order="desc", limit=2)
    assert [one["threshold_amount"] for one in alerts["data"]] == [12_345, 9_876]
    assert alerts["has_more"]
    assert get(secret, f"spend_alerts/{alerts['last_id']}") == alerts["data"][-1]
    assert ask(secret, "spend_alerts/alert_1").status_code == 404
    (last,) = get(secret, "spend_alerts", order="desc", limit=2, after=alerts["last_id"])["data"]
    assert last["threshold_amount"] == 6_172  # half of a cent is rounded to the even one
    assert last["notification_channel"]["recipients"] == ["alice@acme.test"]
    (first, *_) = get(make_admin_key(world.acme, "costs"), "spend_alerts")["data"]
    assert first["notification_channel"]["recipients"] == []  # who owners are is for keys that may read members


def budget(organization: Organization) -> None:
    Budget.objects.create(organization=organization, amount=Decimal("123.45"), is_hard=True)
