"""Each row of the routing table, end to end: sent with the key, seen in the browser where the rules say, and nowhere else."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect

from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.models import Organization, User
from accounts.organizations import organizations
from apikeys.keys import keys
from apikeys.models import APIKey
from billing.prices import rating
from tests.engine import TRACKED_SINCE
from tests.world import PASSWORD, World, join, make_world

pytestmark = pytest.mark.django_db(transaction=True)
KEY_NAME = "Ritas laptop"
OLD = TRACKED_SINCE.replace(year=2023)


class Row(NamedTuple):
    """A row of the table; Rita's default organization is Acme, and she is in Other too."""

    is_tracked: bool
    named: str | None
    seen_in: str | None
    seen_as: str


ROWS = {
    "tracked, none named": Row(is_tracked=True, named=None, seen_in="acme", seen_as=KEY_NAME),
    "untracked, none named": Row(is_tracked=False, named=None, seen_in="acme", seen_as="Untracked"),
    "tracked, default named": Row(is_tracked=True, named="acme", seen_in="acme", seen_as=KEY_NAME),
    "untracked, default named": Row(is_tracked=False, named="acme", seen_in="acme", seen_as="Untracked"),
    "tracked, another named": Row(is_tracked=True, named="other", seen_in="other", seen_as="Untracked"),
    "untracked, another named": Row(is_tracked=False, named="other", seen_in="other", seen_as="Untracked"),
    "tracked, one she is not in": Row(is_tracked=True, named="japan", seen_in=None, seen_as=""),
}


@pytest.fixture(autouse=True, scope="module")
def synchronous() -> Iterator[None]:
    """Playwright runs a loop in this thread; Django is told that its calls here are synchronous all the same.

    The server's threads give their connections back after each answer, so that none is open when the database is dropped.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        patch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
        yield


@pytest.fixture
def world(transactional_db: None) -> World:
    made = make_world()
    join(made.rita, made.other, role="reader")
    return made


@pytest.fixture
def page(chromium: Browser, live_server: Any, world: World) -> Iterator[Page]:
    """Rita, signed in. A message on the console that is an error fails the test: the policy against inline scripts holds."""
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(page, world.rita)
    yield page
    context.close()
    assert not errors


def sign_in(page: Page, user: User) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/usage/activity/")


def make_key(user: User, *, is_tracked: bool = True) -> tuple[APIKey, str]:
    created_at = TRACKED_SINCE if is_tracked else OLD
    return keys.create_api_key(user=user, name=KEY_NAME, created_at=created_at)


def send(page: Page, secret: str, event_id: str, organization: Organization | None = None, **fields: Any) -> str:
    """Report one request with the key itself; what became of it."""
    event = {
        "id": event_id,
        "timestamp": database_now().isoformat(),
        "usage_type": "completions",
        "model": "gpt-4o",
        "input_tokens": 100,
        "output_tokens": 20,
        **fields,
    }
    if organization is not None:
        event["organization"] = organization.public_id
    answer = page.request.post("/v1/usage/events", data=event, headers={"Authorization": f"Bearer {secret}"}).json()
    rating.catch_up()
    (result,) = answer["results"]
    return str(result.get("code", result["status"]))


def should_show(page: Page, slug: str, name: str | None) -> None:
    """The Activity page of the organization, by API key, has this one part, or no usage at all."""
    page.goto(f"/settings/organization/{slug}/usage/activity/?group=api_key")
    content = page.locator("#usage")
    for other in {KEY_NAME, "Untracked"} - {name}:
        expect(content.get_by_text(other)).to_have_count(0)
    if name is None:
        expect(content.get_by_text("No usage")).not_to_have_count(0)
    else:
        expect(content.get_by_text(name).first).to_be_visible()


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_each_row_of_the_table(page: Page, world: World, row: Row) -> None:
    _, secret = make_key(world.rita, is_tracked=row.is_tracked)
    outcome = send(page, secret, "request-1", None if row.named is None else getattr(world, row.named))
    assert outcome == ("accepted" if row.seen_in else "not_a_member")
    for slug in ("acme", "other"):
        should_show(page, slug, row.seen_as if slug == row.seen_in else None)


def test_the_switch_works_forward_only_and_can_be_undone(page: Page, world: World) -> None:
    api_key, secret = make_key(world.rita)
    send(page, secret, "before")
    page.goto("/settings/api-keys/")
    switch = page.get_by_role("switch", name=f"Tracking of {KEY_NAME}")
    address = page.url
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(page.get_by_role("status")).to_contain_text("Tracking turned off")
    assert page.url == address
    send(page, secret, "after")
    page.get_by_role("button", name="Undo").click()
    expect(switch).to_have_attribute("aria-checked", "true")
    send(page, secret, "again")
    page.goto("/settings/organization/acme/usage/activity/?group=api_key")
    expect(page.locator("#usage").get_by_text(KEY_NAME).first).to_be_visible()
    expect(page.locator("#usage").get_by_text("Untracked").first).to_be_visible()
    assert api_key.tracking_changes.count() == 3


def test_another_default_organization_takes_new_usage_and_leaves_the_old(page: Page, world: World) -> None:
    _, secret = make_key(world.rita)
    send(page, secret, "before")
    page.goto("/settings/profile/")
    page.get_by_role("combobox", name="Default organization").select_option(label="Other")
    page.get_by_role("button", name="Preview the change").click()
    expect(page.get_by_role("main")).to_contain_text(KEY_NAME)
    page.get_by_role("button", name="Make default").click()
    expect(page.get_by_role("status")).to_contain_text("Default organization changed to Other.")
    should_show(page, "other", None)
    send(page, secret, "after")
    should_show(page, "other", KEY_NAME)
    late = (database_now() - timedelta(seconds=20)).isoformat()
    assert send(page, secret, "late", timestamp=late) == "accepted"
    assert send(page, secret, "before", timestamp=late) == "accepted"
    page.goto("/settings/organization/acme/usage/activity/")
    expect(page.locator("#usage")).to_contain_text("3")


def test_a_key_that_is_revoked_in_the_browser_reports_nothing_more(page: Page, world: World) -> None:
    _, secret = make_key(world.rita)
    page.goto("/settings/api-keys/")
    page.get_by_role("link", name=f"Revoke {KEY_NAME}…").click()
    page.get_by_role("button", name="Revoke key").click()
    answer = page.request.post("/v1/usage/events", data={}, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status == 401


def test_without_scripts_the_switch_works_as_well(chromium: Browser, live_server: Any, world: World) -> None:
    api_key, _ = make_key(world.rita)
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, world.rita)
    page.goto("/settings/api-keys/")
    page.get_by_role("switch").click()
    expect(page.get_by_role("status")).to_contain_text("Tracking turned off")
    api_key.refresh_from_db()
    assert not api_key.tracked
    context.close()


def test_a_person_who_is_removed_sees_nothing_any_more(page: Page, world: World) -> None:
    with routing_change() as now:
        organizations.remove_member(organization=world.other, user=world.rita, now=now)
    assert page.request.get("/settings/organization/other/usage/activity/").status == 404
    page.goto("/settings/organizations/")
    expect(page.get_by_role("main")).not_to_contain_text("Other")
