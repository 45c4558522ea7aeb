"""Organization settings, Attributes: declared, renamed, withdrawn; and what came without being declared."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.changes import organization_change
from accounts.models import Attribute, AuditEvent, Organization, User
from accounts.projects.attributes import declare, declared_of
from apikeys.models import APIKey
from metering.attribution_models import UndeclaredAttribute
from metering.attributions import undeclared
from metering.models import UsageEvent
from metering.usage.what_for import what_for
from tests.engine import make_event, make_token, send
from tests.world import World

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/attributes/"
SEEN = datetime(2026, 11, 14, 12, 3, tzinfo=UTC)


def text_of(page: object) -> str:
    return " ".join(page.content.decode().split())  # type: ignore[attr-defined]


def names_of(organization: Organization) -> list[str]:
    return [attribute.name for attribute in declared_of(organization)]


@pytest.fixture
def team(world: World) -> Attribute:
    with organization_change(world.acme) as now:
        return declare(organization=world.acme, name="team", title="Team", now=now)


def test_an_empty_page_says_what_to_do_and_readers_who_can(world: World, client_of: SignIn) -> None:
    assert "Declare the first one below" in text_of(client_of(world.bob).get(PAGE))
    assert "Owners and admins can declare them" in text_of(client_of(world.rita).get(PAGE))


def test_an_admin_declares_renames_and_withdraws(world: World, client_of: SignIn) -> None:
    client = client_of(world.bob)
    assert "“Team” declared." in text_of(client.post(PAGE, {"name": "team", "title": "Team"}, follow=True))
    client.post(f"{PAGE}team/title/", {"title": "Squad"})
    assert Attribute.objects.get().title == "Squad"
    asked = client.get(f"{PAGE}team/withdrawal/")
    assert "Withdraw “<bdi>Squad</bdi>”?" in text_of(asked)
    assert names_of(world.acme) == ["team"]
    client.post(f"{PAGE}team/withdrawal/")
    assert names_of(world.acme) == []
    assert client.get(f"{PAGE}team/title/").status_code == 404
    assert "Withdrawn attributes (1)" in text_of(client.get(PAGE))
    client.post(PAGE, {"name": "team", "title": "Squad"})
    assert names_of(world.acme) == ["team"]
    events = AuditEvent.objects.filter(organization=world.acme).order_by("id").values_list("event", flat=True)
    assert list(events) == ["attribute.declared", "attribute.updated", "attribute.withdrawn", "attribute.declared"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": "Team", "title": "Team"}, "name"),
        ({"name": "équipe", "title": "Team"}, "name"),
        ({"name": "team", "title": "x" * 61}, "title"),
        ({"name": "team", "title": "a\u2028b"}, "title"),
        ({"name": "", "title": "Team"}, "name"),
        ({"name": "team", "title": " "}, "title"),
    ],
)
def test_what_cannot_be_declared_is_said_at_its_field(
    world: World, client_of: SignIn, sent: dict[str, str], field: str
) -> None:
    page = client_of(world.bob).post(PAGE, sent)
    assert list(page.context["form"].errors) == [field]
    assert names_of(world.acme) == []


def test_the_sixth_is_refused_and_the_page_says_so_before(world: World, client_of: SignIn) -> None:
    client = client_of(world.bob)
    for name in "abcde":
        client.post(PAGE, {"name": name, "title": name})
    assert "5 attributes are declared, which is the limit" in text_of(client.get(PAGE))
    assert "which is the limit" in text_of(client.post(PAGE, {"name": "f", "title": "F"}))
    assert names_of(world.acme) == list("abcde")


def test_readers_change_nothing(world: World, client_of: SignIn, team: Attribute) -> None:
    client = client_of(world.rita)
    page = client.get(PAGE).content.decode()
    assert "Team" in page
    assert "<form" not in page.partition("<main")[2]
    assert client.post(PAGE, {"name": "feature", "title": "Feature"}).status_code == 403
    for thing in ("title", "withdrawal"):
        assert client.get(f"{PAGE}team/{thing}/").status_code == 403
        assert client.post(f"{PAGE}team/{thing}/", {"title": "Mine"}).status_code == 403
    assert Attribute.objects.get().withdrawn_at is None


def test_names_that_came_undeclared_are_shown_with_their_counts_and_declared_by_a_click(
    world: World, client_of: SignIn, team: Attribute
) -> None:
    for name, number in (("end_customer", 1873), ("Région", 12), ("team", 5)):
        UndeclaredAttribute.objects.create(
            organization_id=world.acme.pk, name=name, num_events=number, last_seen_at=SEEN
        )
    UndeclaredAttribute.objects.create(organization_id=world.other.pk, name="theirs", num_events=9, last_seen_at=SEEN)
    client = client_of(world.bob)
    page = client.get(PAGE)
    shown = [(one.name, one.events, one.can_be_declared) for one in page.context["undeclared"]]
    assert shown == [("end_customer", "1,873", True), ("Région", "12", False)]
    assert "Declare end_customer" in page.content.decode()
    client.post(PAGE, {"name": "end_customer", "title": page.context["undeclared"][0].title})
    assert Attribute.objects.get(name="end_customer").title == "End customer"
    assert [one.name for one in client.get(PAGE).context["undeclared"]] == ["Région"]
    assert "Sent, but not declared" not in client_of(world.rita).get(PAGE).content.decode()


def test_the_example_speaks_the_organizations_own_names(world: World, client_of: SignIn) -> None:
    assert client_of(world.rita).get(PAGE).context["example"] == '"attributes": {\n  "team": "search"\n}'
    with organization_change(world.acme) as now:
        declare(organization=world.acme, name="squad", title="Squad", now=now)
    assert client_of(world.rita).get(PAGE).context["example"] == '"attributes": {\n  "squad": "search"\n}'


def test_changes_count_against_the_persons_limit(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.CHANGES_PER_MINUTE = 0
    assert client_of(world.bob).post(PAGE, {"name": "team", "title": "Team"}).status_code == 429
    assert names_of(world.acme) == []


def test_from_an_undeclared_name_over_the_click_to_usage_that_has_it_and_back(
    world: World, client_of: SignIn, key: APIKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undeclared, "INTERVAL_SECONDS", 0.0)  # each request writes what it noted
    client, token = client_of(world.bob), make_token()

    def use(number: int) -> list[str]:
        event = make_event(id=f"event-{number}", api_key_id=key.public_id, attributes={"team": "search"})
        assert send(event, token) == ["accepted"]
        stored = UsageEvent.objects.latest("batch_id")
        return [value for title, value in what_for([stored.attribution_id]).get(stored.attribution_id, ())]

    assert use(1) == []
    (seen,) = client.get(PAGE).context["undeclared"]
    assert (seen.name, seen.num_events) == ("team", 1)
    client.post(PAGE, {"name": seen.name, "title": seen.title})
    assert use(2) == ["search"]
    client.post(f"{PAGE}team/withdrawal/")
    assert use(3) == []
    (seen,) = client.get(PAGE).context["undeclared"]
    assert seen.num_events == 2
