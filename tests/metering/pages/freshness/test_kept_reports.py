"""A report is made once for all who see the same, and again as soon as anything of it is another."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.safestring import SafeString, mark_safe
from pytest_django import Settings

from accounts.clock import database_now
from accounts.installation.brand import Brand
from accounts.models import Membership, Organization, Project, User
from apikeys.keys.keys import rotate_api_key
from apikeys.models import APIKey
from billing.alerts import Budget
from billing.cost.credit_version import CREDIT_VERSION
from billing.models import CreditGrant, LineItem
from billing.payer_history import PayerSince
from metering.pages.freshness.kept_reports import KeptReports
from metering.pages.freshness.page_version import read_page_state
from tests.metering.pages.test_activity_page import page_of
from tests.usage.rollup_rows import add_cost, add_usage, make_key, sku_of
from tests.world import World, join

SignIn = Callable[[User], Client]
TAB = "/settings/organization/acme/usage"
VIEWS = ("activity", "cost")
DAY = date(2026, 3, 14)
MARCH = "month=2026-03"


@pytest.fixture
def used(world: World) -> World:
    """On 14 March 2026 Rita used gpt-4o at Acme for $2.50."""
    add_usage(world.acme, DAY, world.rita, make_key(world.rita, "search"), sku_of("gpt-4o"), input_tokens=1_000_000)
    add_cost((world.acme, DAY, sku_of("gpt-4o")), LineItem.INPUT, 1_000_000, "0.0000025")
    return world


def rename_reader(world: World) -> None:
    User.objects.filter(pk=world.rita.pk).update(name="Rita R.")


def exchange_names(world: World) -> None:
    User.objects.filter(pk=world.rita.pk).update(name="Bob Byrd")
    User.objects.filter(pk=world.bob.pk).update(name="Rita Rao")


def rotate_key(world: World) -> None:
    api_key = APIKey.objects.get(user=world.rita)
    rotate_api_key(api_key=api_key, overlap=timedelta(0), now=database_now())


def rename_child(world: World) -> None:
    Organization.objects.filter(pk=world.labs.pk).update(name="Laboratories")


def use_more(world: World) -> None:
    add_usage(world.labs, DAY, world.bob, None, sku_of("gpt-4o"), input_tokens=7)


def use_elsewhen(world: World) -> None:
    """What is compared with: the month before."""
    add_usage(world.acme, date(2026, 2, 3), world.bob, None, sku_of("gpt-4o"), input_tokens=7)


def make_project(world: World) -> None:
    Project.objects.create(organization=world.acme, name="Checkout")


def price_more(world: World) -> None:
    add_cost((world.acme, DAY, sku_of("gpt-4o")), LineItem.OUTPUT, 1, "0.1")


def set_budget(world: World) -> None:
    Budget.objects.create(organization=world.acme, amount=Decimal(100))


def give_credit(world: World, expires_at: datetime | None = None) -> None:
    CreditGrant.objects.create(
        organization=world.acme,
        name="Welcome",
        category=CreditGrant.Category.PROMOTIONAL,
        amount=Decimal(5),
        effective_at=database_now() - timedelta(days=1),
        expires_at=expires_at,
    )


EVERYWHERE = (rename_reader, exchange_names, rotate_key, rename_child, use_more, use_elsewhen, make_project)


@pytest.mark.parametrize(
    ("view", "change"),
    [*((view, change) for view in VIEWS for change in EVERYWHERE)]
    + [("cost", change) for change in (price_more, set_budget, give_credit)],
)
def test_whatever_is_shown_changes_the_version(
    used: World, client_of: SignIn, view: str, change: Callable[[World], None]
) -> None:
    client, address = client_of(used.alice), f"{TAB}/{view}/?{MARCH}&group=user"
    tag = client.get(address).headers["ETag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
    change(used)
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 200


def use_today(world: World) -> None:
    add_usage(world.acme, database_now().date(), world.bob, None, sku_of("gpt-4o"), input_tokens=7)


@pytest.mark.parametrize(
    ("query", "change"),
    [
        ("month=2999-01", use_today),
        ("day=2999-01-01", use_today),
        ("day=2026-03-99", use_today),
        ("month=2026-13&day=2026-03-14", use_today),
        (f"{MARCH}&month=2026-06", use_more),
        (f"{MARCH}&month=", use_more),
        (f"month=&{MARCH}", use_more),
        ("day=2026-03-14&day=2026-06-01", use_more),
        (f"{MARCH}&day=2026-06-01", use_more),
    ],
)
def test_the_version_is_of_the_month_that_is_shown_whatever_was_asked_for(
    used: World, client_of: SignIn, query: str, change: Callable[[World], None]
) -> None:
    client, address = client_of(used.alice), f"{TAB}/activity/?{query}"
    tag = client.get(address).headers["ETag"]
    change(used)
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("view", VIEWS)
def test_another_name_of_the_installation_is_shown_at_once(
    used: World, client_of: SignIn, settings: Settings, view: str
) -> None:
    client, address = client_of(used.alice), f"{TAB}/{view}/?{MARCH}"
    tag = client.get(address).headers["ETag"]
    settings.BRAND = Brand("Northwind", support_url="mailto:help@northwind.test")
    page = client.get(address, headers={"If-None-Match": tag})
    assert page.status_code == 200
    assert "help@northwind.test" in page.content.decode()


def test_an_archived_project_and_another_role_are_shown_at_once(used: World, client_of: SignIn) -> None:
    make_project(used)
    membership = Membership.objects.filter(pk=join(used.charlie, used.acme, role=Membership.Role.READER).pk)
    client, address = client_of(used.charlie), f"{TAB}/activity/?{MARCH}"
    for rows, change in (
        (Project.objects.all(), {"archived_at": database_now()}),
        (membership, {"role": Membership.Role.OWNER}),
    ):
        tag = client.get(address).headers["ETag"]
        rows.update(**change)
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 200
    membership.update(left_at=database_now())
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 404


CREDIT_SINCE = datetime(2026, 1, 5, tzinfo=UTC)
BETWEEN = date(2026, 1, 20)  # after the first grant, before the month that is compared with


def credit_of(world: World, since: datetime, **ends: datetime) -> None:
    CreditGrant.objects.create(
        organization=world.acme, name="Welcome", category="paid", amount=Decimal(500), effective_at=since, **ends
    )


@pytest.mark.parametrize("whose", ["acme", "labs", "other"])
def test_what_is_left_of_credit_is_shown_whenever_the_cost_was(used: World, client_of: SignIn, whose: str) -> None:
    credit_of(used, CREDIT_SINCE)
    PayerSince.objects.create(organization=used.other, first_month=date(2025, 1, 1), payer=used.acme)
    PayerSince.objects.create(organization=used.other, first_month=date(2026, 2, 1), payer=used.other)
    client, address = client_of(used.alice), f"{TAB}/cost/?{MARCH}"
    before = client.get(address)
    assert "$497.50" in before.content.decode()
    add_cost((getattr(used, whose), BETWEEN, sku_of("gpt-4o")), LineItem.INPUT, 1_000_000, "0.00001")
    after = client.get(address, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert "$487.50" in after.content.decode()


def test_who_paid_then_is_part_of_what_is_left_of_credit(used: World, client_of: SignIn) -> None:
    credit_of(used, CREDIT_SINCE)
    add_cost((used.other, BETWEEN, sku_of("gpt-4o")), LineItem.INPUT, 1_000_000, "0.00001")
    client, address = client_of(used.alice), f"{TAB}/cost/?{MARCH}"
    tag = client.get(address).headers["ETag"]
    PayerSince.objects.create(organization=used.other, first_month=date(2025, 1, 1), payer=used.acme)
    after = client.get(address, headers={"If-None-Match": tag})
    assert after.status_code == 200
    assert "$487.50" in after.content.decode()


def test_costs_of_others_are_not_read_for_what_is_left_of_credit(used: World) -> None:
    explain = f"EXPLAIN WITH span AS MATERIALIZED (SELECT '2026-03-01'::date AS month) {CREDIT_VERSION}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(explain, {"ids": [used.acme.pk, used.labs.pk]})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    found = plan.split(" on billing_dailycost", maxsplit=1)[1].split("Index Cond: ")[1].splitlines()[0]
    assert "organization_id = ANY" in found
    assert "day >=" in found


@pytest.mark.parametrize(
    ("since", "ends"),
    [
        (datetime(2025, 6, 1, tzinfo=UTC), {"expires_at": datetime(2026, 3, 1, tzinfo=UTC)}),
        (CREDIT_SINCE, {"voided_at": datetime(2026, 2, 3, tzinfo=UTC)}),
        (datetime(2026, 4, 1, tzinfo=UTC), {}),
    ],
)
def test_costs_before_the_months_shown_do_not_matter_without_credit(
    used: World, client_of: SignIn, since: datetime, ends: dict[str, datetime]
) -> None:
    credit_of(used, since, **ends)
    client, address = client_of(used.alice), f"{TAB}/cost/?{MARCH}"
    tag = client.get(address).headers["ETag"]
    add_cost((used.acme, BETWEEN, sku_of("gpt-4o")), LineItem.INPUT, 1_000_000, "0.00001")
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304


def test_credit_that_expires_is_shown_without_any_change(used: World) -> None:
    """The version is of the statement's time, which goes on within a test's transaction."""
    expires_at = database_now() + timedelta(seconds=1)
    give_credit(used, expires_at)
    shown = ((CreditGrant, "organization_id"),)
    version = read_page_state([used.acme.pk], None, shown).version
    while database_now() < expires_at:
        time.sleep(0.05)
    assert read_page_state([used.acme.pk], None, shown).version != version


def report_of(page: bytes) -> bytes:
    return page.split(b"<figure", maxsplit=1)[1].split(b'class="freshness"')[0]


@pytest.mark.parametrize("view", VIEWS)
def test_a_second_viewer_reads_nothing_of_the_report_again(used: World, client_of: SignIn, view: str) -> None:
    address = f"{TAB}/{view}/?{MARCH}&group=user"
    with CaptureQueriesContext(connection) as first:
        once = client_of(used.alice).get(address)
    alice = client_of(used.alice)
    with CaptureQueriesContext(connection) as second:
        again = alice.get(address)
    assert "Rita Rao" in again.content.decode()
    assert report_of(once.content) == report_of(again.content)
    read = [query["sql"] for query in second.captured_queries if "leaders" in query["sql"] or "ranked" in query["sql"]]
    assert not read
    assert len(second) < len(first)


def test_what_only_owners_see_is_kept_for_owners_alone(used: World, client_of: SignIn) -> None:
    set_budget(used)
    add_usage(used.acme, (today := database_now().date()), used.bob, None, sku_of("gpt-4o"), input_tokens=7)
    add_cost((used.acme, today, sku_of("gpt-4o")), LineItem.INPUT, 7, "1")
    pages = {user: page_of(client_of(user), f"{TAB}/cost/") for user in (used.alice, used.bob, used.rita)}
    assert ['aria-label="Budget"' in page for page in pages.values()] == [True, False, False]


def test_readers_of_their_own_usage_get_no_report_of_others(used: World, client_of: SignIn) -> None:
    use_more(used)
    Organization.objects.filter(pk=used.acme.pk).update(usage_visibility=Organization.UsageVisibility.OWNERS_AND_ADMINS)
    everything = page_of(client_of(used.bob), f"{TAB}/activity/?{MARCH}&group=user")
    own = page_of(client_of(used.rita), f"{TAB}/activity/?{MARCH}&group=user")
    assert "Bob Byrd" in everything.split('id="usage"')[1]
    assert "Bob Byrd" not in own


def report(text: str) -> Callable[[], SafeString]:
    return lambda: mark_safe(text)  # noqa: S308 - a test's own text


def test_the_bound_forgets_what_was_not_asked_for_longest(settings: Settings) -> None:
    settings.PAGES_KEPT_BYTES = 3_000
    kept = KeptReports()
    kept.get("a", report("a" * 1_000))
    kept.get("b", report("b" * 1_000))
    assert kept.get("a", report("another")) == "a" * 1_000
    kept.get("c", report("c" * 1_000))
    assert kept.get("a", report("another")) == "a" * 1_000
    assert kept.get("b", report("made again")) == "made again"


def test_what_is_larger_than_the_bound_is_not_kept(settings: Settings) -> None:
    settings.PAGES_KEPT_BYTES = 100
    kept = KeptReports()
    assert kept.get("a", report("a" * 1_000)) == "a" * 1_000
    assert kept.get("a", report("made again")) == "made again"
