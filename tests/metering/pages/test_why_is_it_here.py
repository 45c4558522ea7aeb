"""Why is it here: from a key and from a usage row, through stored events."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.changes import organization_change, routing_change
from accounts.clock import database_now
from accounts.models import Organization, User
from accounts.organizations import organizations
from accounts.projects.attributes import declare
from accounts.projects.projects import make_project
from apikeys.attribution.attribution import set_attribution
from apikeys.keys import keys
from apikeys.models import APIKey
from tests.engine import days_ago, make_event, make_token, roll_up, send
from tests.world import World, join

SignIn = Callable[[User], Client]
KEYS = "/settings/organization/acme/keys/"
WHY = "/settings/organization/acme/usage/why/"
SINCE = datetime(2024, 1, 1, tzinfo=UTC)
OLD = datetime(2023, 6, 1, tzinfo=UTC)


@pytest.fixture
def ritas(world: World) -> APIKey:
    return keys.create_api_key(user=world.rita, name="Ritas laptop", created_at=SINCE)[0]


@pytest.fixture
def old(world: World) -> APIKey:
    return keys.create_api_key(user=world.rita, name="Ritas old one", created_at=OLD)[0]


@pytest.fixture
def used(world: World, ritas: APIKey, old: APIKey) -> str:
    """Three requests of yesterday by the tracked key, two by the old one and one of an outsider that names Acme; the day."""
    join(world.charlie, world.acme, role="reader")
    theirs, _ = keys.create_api_key(user=world.charlie, name="Charlies key", created_at=SINCE)
    events = [make_event(id=f"a{n}", api_key_id=ritas.public_id) for n in range(3)]
    events += [make_event(id=f"b{n}", api_key_id=old.public_id) for n in range(2)]
    events.append(make_event(id="c", api_key_id=theirs.public_id, organization=world.acme.public_id))
    assert set(send(events, make_token())) == {"accepted"}
    roll_up()
    return str(days_ago(1).date())


def test_a_key_says_what_holds_now_and_what_routed_its_usage(
    world: World, client_of: SignIn, ritas: APIKey, used: str
) -> None:
    page = client_of(world.rita).get(f"{KEYS}{ritas.public_id}/?day={used}")
    html = page.content.decode()
    assert "is shown here by name" in " ".join(html.split())
    (row,) = page.context["rows"]
    assert row.requests == 3
    assert "your default at the time, Acme" in row.sentence


def test_the_history_is_dated_and_names_other_organizations_to_the_keys_user_alone(
    world: World, client_of: SignIn, ritas: APIKey
) -> None:
    join(world.rita, world.other, role="reader")
    with routing_change() as now:
        keys.set_tracking(api_key=ritas, tracked=False, now=now)
        organizations.set_default_organization(user=world.rita, organization=world.other, now=now)
    mine = client_of(world.rita).get(f"{KEYS}{ritas.public_id}/").content.decode()
    assert f"{now:%H:%M:%S}" in mine
    assert "Tracking is off." in mine
    assert "Other is the default organization." in mine
    admins = client_of(world.bob).get(f"{KEYS}{ritas.public_id}/").content.decode()
    assert "Another organization is the default." in admins
    assert "Other is" not in admins


def test_a_day_of_an_organization_is_explained_row_by_row(world: World, client_of: SignIn, used: str) -> None:
    page = client_of(world.bob).get(WHY, {"day": used})
    rows = {(row.user, row.key, row.requests): row.sentence for row in page.context["rows"]}
    assert set(rows) == {
        ("Rita Rao", "Ritas laptop", 3),
        ("Rita Rao", "Untracked", 2),
        ("Charlie Cole", "Untracked", 1),
    }
    assert "Tracking was off at the time" in rows["Rita Rao", "Untracked", 2]
    assert "was not the user's default organization" in rows["Charlie Cole", "Untracked", 1]
    html = page.content.decode()
    assert "Ritas old one" not in html
    assert "Charlies key" not in html


def test_the_rows_can_be_narrowed(world: World, client_of: SignIn, used: str, ritas: APIKey) -> None:
    client = client_of(world.bob)
    narrowed = [
        ({"user": world.charlie.public_id}, 1),
        ({"api_key": "untracked"}, 2),
        ({"api_key": ritas.public_id}, 1),
        ({"user": "user_nobody"}, 3),
        ({"day": "yesterday"}, 0),
        ({"day": "9999-12-31"}, 0),
    ]
    for query, expected in narrowed:
        assert len(client.get(WHY, {"day": used, **query}).context["rows"]) == expected, query


def test_another_day_is_shown_as_narrowed_as_this_one(
    world: World, client_of: SignIn, used: str, ritas: APIKey
) -> None:
    query = {"day": used, "user": world.rita.public_id, "api_key": ritas.public_id}
    html = client_of(world.bob).get(WHY, query).content.decode()
    for name in ("user", "api_key"):
        assert f'<input type="hidden" name="{name}" value="{query[name]}">' in html
    without_key = urlencode({name: query[name] for name in ("day", "user")}).replace("&", "&amp;")
    assert f'href="{WHY}?{without_key}"' in html
    assert f'href="{WHY}?day={used}"' in html  # clears all filters


def test_a_parent_is_told_in_which_organization_usage_is(world: World, client_of: SignIn, used: str) -> None:
    where = '<td data-label="Organization"><bdi>Acme</bdi></td>'
    assert where in client_of(world.bob).get(WHY, {"day": used}).content.decode()
    Organization.objects.filter(parent=world.acme).update(parent=None)
    assert where not in client_of(world.bob).get(WHY, {"day": used}).content.decode()


def test_a_key_finds_what_shows_under_it_and_to_its_own_user_alone_what_reads_untracked(
    world: World, client_of: SignIn, ritas: APIKey, used: str
) -> None:
    with routing_change() as now:
        keys.set_tracking(api_key=ritas, tracked=False, now=now)
    send([make_event(id="late", timestamp=now, api_key_id=ritas.public_id)], make_token("late"))
    roll_up()
    today = {"day": f"{now:%Y-%m-%d}"}
    for who, expected in ((world.bob, 0), (world.rita, 1)):
        assert len(client_of(who).get(f"{KEYS}{ritas.public_id}/", today).context["rows"]) == expected, who
        assert len(client_of(who).get(WHY, {**today, "api_key": ritas.public_id}).context["rows"]) == expected, who


def test_of_a_person_who_has_left_nothing_newer_is_told(world: World, client_of: SignIn, ritas: APIKey) -> None:
    join(world.rita, world.other, role="reader")
    with routing_change() as left_at:
        organizations.remove_member(organization=world.acme, user=world.rita, now=left_at)
    with routing_change() as now:
        keys.set_tracking(api_key=ritas, tracked=False, now=now)
    newer, _ = keys.create_api_key(user=world.rita, name="Ritas new life", created_at=now)
    bob = client_of(world.bob)
    assert bob.get(f"{KEYS}{newer.public_id}/").status_code == 404
    page = bob.get(f"{KEYS}{ritas.public_id}/").content.decode()
    assert "Left Acme." in page
    assert "Tracking is off." not in page
    join(world.rita, world.acme, role="reader", joined_at=now)
    assert bob.get(f"{KEYS}{newer.public_id}/").status_code == 200
    assert "Tracking is off." in bob.get(f"{KEYS}{ritas.public_id}/").content.decode()


def test_a_filter_that_fits_nothing_is_said_and_names_nobody(world: World, client_of: SignIn) -> None:
    page = client_of(world.alice).get(WHY, {"user": world.charlie.public_id, "day": "yesterday"})
    html = page.content.decode()
    assert "The filter “User: " in html
    assert "“yesterday” is not a day" in html
    assert "Charlie" not in html


def test_a_reader_without_visibility_sees_their_own(world: World, client_of: SignIn, used: str) -> None:
    world.acme.usage_visibility = "owners_and_admins"
    world.acme.save()
    rows = client_of(world.rita).get(WHY, {"day": used, "user": world.charlie.public_id}).context["rows"]
    assert {row.user for row in rows} == {"Rita Rao"}


def test_other_peoples_keys_are_for_owners_and_admins(
    world: World, client_of: SignIn, ritas: APIKey, used: str
) -> None:
    join(world.charlie, world.labs, role="owner")
    address = f"{KEYS}{ritas.public_id}/"
    assert client_of(world.alice).get(address).status_code == 200
    assert client_of(world.charlie).get(address).status_code == 404
    assert client_of(world.charlie).get(address.replace("acme", "acme-labs")).status_code == 404


def test_usage_says_what_it_was_for_whether_its_key_or_the_event_itself_said_so(
    world: World, client_of: SignIn, ritas: APIKey
) -> None:
    day = str(days_ago(0).date())
    assert "For</th>" not in client_of(world.bob).get(f"{WHY}?day={day}").content.decode()
    with organization_change(world.acme) as now:
        declare(organization=world.acme, name="team", title="Team", now=now)
        checkout, shop = (make_project(organization=world.acme, name=name) for name in ("Checkout", "Shop"))
    with routing_change(world.rita) as now:
        set_attribution(
            api_key=ritas, organization=world.acme, project=checkout, attributes={"team": "search"}, now=now
        )
    own = {"project": shop.public_id, "attributes": {"team": "core"}}
    at = database_now()
    sent = [
        make_event(id="before", timestamp=now - timedelta(milliseconds=1), api_key_id=ritas.public_id),
        *(make_event(id=f"key-{n}", timestamp=at, api_key_id=ritas.public_id) for n in range(2)),
        *(make_event(id=f"own-{n}", timestamp=at, api_key_id=ritas.public_id, **own) for n in range(3)),
    ]
    assert set(send(sent, make_token())) == {"accepted"}
    for address in (f"{WHY}?day={at.date()}", f"{KEYS}{ritas.public_id}/?day={at.date()}"):
        page = client_of(world.bob).get(address)
        assert [(row.requests, row.what_for) for row in page.context["rows"]] == [
            (3, (("Project", "Shop"), ("Team", "core"))),
            (2, (("Project", "Checkout"), ("Team", "search"))),
            (1, ()),
        ]
        assert "Default project" in page.content.decode()
