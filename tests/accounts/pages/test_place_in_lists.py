"""Who acts on a later page of a list stays on it: every form takes along where in the lists of its page it was sent from."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from django.test import Client

from accounts.clock import database_now
from accounts.models import Membership, Organization, Project, User
from accounts.pages.lists import NAMES, PAGE_ROWS, page_of, place_of
from apikeys.models import APIKey, ScimToken
from billing.alerts import Delivery, WebhookEndpoint
from billing.models import CreditGrant, Invoice
from tests.accounts.members.test_many_invitations import invite
from tests.apikeys.keys.test_many_keys import make_keys
from tests.billing.pages.test_many_invoices import in_favour
from tests.world import World
from usage_dashboard.models import ScimGroup

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
MANY = 2 * PAGE_ROWS + 5
ACME = "/settings/organization/acme/"
KEYS, INVOICES, CREDIT, NEWS = "/settings/api-keys/", "/settings/invoices/", "/settings/credit/", "/settings/news/"
LISTS = (
    f"{KEYS}?page=2&revoked=2",
    f"{ACME}projects/?page=2&old=2",
    f"{ACME}members/?page=2&invited=2",
    f"{ACME}keys/?page=2",
    f"{ACME}billing/?grant=2&webhook=2",
    f"{ACME}provisioning/?page=2&groups=2&revoked=2",
    "/settings/organizations/?page=2",
    f"{INVOICES}?page=2&balance=2&failed=2&held=2",
    f"{CREDIT}?page=2",
    f"{NEWS}?webhook=2",
)


@pytest.fixture
def alice(world: World, client_of: SignIn) -> Client:
    """Alice owns Acme and is staff, and every list that she sees has three pages."""
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    make_keys(world.alice, MANY)
    make_keys(world.alice, MANY, revoked=True)
    _projects(world.acme)
    _people(world)
    invite(world.acme, world.alice, 0, MANY)
    _money(world)
    _provisioning(world.acme)
    return client_of(User.objects.get(pk=world.alice.pk))


def test_every_list_is_looked_at_here() -> None:
    assert {name for address in LISTS for name, _ in parse_qsl(urlsplit(address).query)} == set(NAMES)


@pytest.mark.parametrize("address", LISTS)
def test_every_form_of_a_list_takes_its_place_along(alice: Client, address: str) -> None:
    place = f"?{urlsplit(address).query}"
    actions = _actions(alice.get(address))
    assert len(actions) > 1 or "organizations" in address
    assert {
        dict(parse_qsl(urlsplit(action).query)).items() >= dict(parse_qsl(place[1:])).items() for action in actions
    } == {True}


@pytest.mark.parametrize(
    ("address", "form", "sent"),
    [
        (f"{KEYS}?page=3", "tracking", {"tracked": "off"}),
        (f"{ACME}projects/?page=3", "archival", {}),
        (f"{ACME}projects/?old=3", "restoration", {}),
        (f"{ACME}members/?page=3", "role", {"role": "admin"}),
        (f"{ACME}members/?invited=3", "resending", {}),
        (f"{ACME}members/?invited=3", "revocation", {}),
        (f"{ACME}billing/?webhook=3", "removal", {}),
        (f"{ACME}billing/?grant=3", "details", {"legal_name": "Acme Ltd", "address": "1 Road"}),
        (f"{ACME}provisioning/?groups=3", "role", {"role": "admin"}),
        (f"{INVOICES}?page=5", "payment", {}),
        (f"{INVOICES}?page=3", "voiding", {}),
        (f"{INVOICES}?held=3", "release", {"amount": "0"}),
        (f"{INVOICES}?balance=3", "refunds", {"amount": "1.00"}),
        (f"{CREDIT}?page=3", "voiding", {}),
        (f"{NEWS}?webhook=3", "test", {}),
        (f"{NEWS}?webhook=3", "removal", {}),
        (f"{NEWS}?webhook=3", "again", {}),
    ],
)
def test_a_form_leads_back_to_its_page_of_the_list(
    alice: Client, address: str, form: str, sent: dict[str, str]
) -> None:
    action = next(found for found in _actions(alice.get(address)) if f"/{form}/" in found)
    answer = alice.post(action, sent)
    assert answer.status_code == 302
    assert answer["Location"].startswith(urlsplit(address).path + "?")
    assert urlsplit(address).query in answer["Location"]
    assert f"Page {address[-1]} of " in _text(alice.get(answer["Location"]))


@pytest.mark.parametrize(
    ("address", "question"),
    [
        (f"{KEYS}?page=3", "revocation"),
        (f"{KEYS}?page=3", "name"),
        (f"{ACME}members/?page=3", "removal"),
        (f"{ACME}provisioning/?page=3", "revocation"),
        ("/settings/organizations/?page=3", "departure"),
    ],
)
def test_a_question_in_between_leads_back_to_its_page_of_the_list(alice: Client, address: str, question: str) -> None:
    asked = _links(alice.get(address), question)[0]
    page = alice.get(asked)
    assert urlsplit(address).path + "?page=3" in _text(page) or question == "departure"
    (action,) = [found for found in _actions(page) if f"/{question}/" in found]
    answer = alice.post(action, {"name": "Another"})
    assert urlsplit(answer["Location"]).path == urlsplit(address).path
    assert "page=3" in answer["Location"]


def test_a_new_secret_is_shown_between_and_leads_back(alice: Client) -> None:
    page = alice.get(_links(alice.get(f"{KEYS}?page=3"), "rotation")[0])
    (action,) = [found for found in _actions(page) if "/rotation/" in found]
    replaces = re.findall(r'name="replaces" value="([^"]*)"', _text(page))[0]
    shown = alice.post(action, {"replaces": replaces, "overlap_hours": "0"}, follow=True)
    assert "only time" in _text(shown)
    assert f'href="{KEYS}?page=3"' in _text(shown)


@pytest.mark.parametrize(
    ("address", "form", "sent"),
    [
        (KEYS, KEYS, {"name": ""}),
        (f"{ACME}projects/", f"{ACME}projects/", {"name": ""}),
        (f"{ACME}members/", f"{ACME}invitations/", {"email": "nobody"}),
        (CREDIT, CREDIT, {"amount": "much"}),
        ("/settings/organizations/", "/settings/organizations/", {"name": ""}),
    ],
)
def test_a_refused_form_stays_on_the_page_and_its_pager_leads_on(
    alice: Client, address: str, form: str, sent: dict[str, str]
) -> None:
    action = next(found for found in _actions(alice.get(f"{address}?page=2")) if urlsplit(found).path == form)
    refused = alice.post(action, sent)
    assert refused.status_code == 200
    assert "Page 2 of 3" in _text(refused)
    pager = re.findall(r'id="list-next"\s+class="button"\s+href="([^"]*)"', _text(refused))[0]
    onwards = alice.get(urljoin(action, unescape(pager)), follow=True)
    assert "Page 3 of 3" in _text(onwards)
    assert urlsplit(onwards.redirect_chain[-1][0] if onwards.redirect_chain else address).path == address


def test_where_the_page_is_gone_it_is_the_last_one(alice: Client, world: World) -> None:
    APIKey.objects.filter(user=world.alice, name__in=[f"key {n}" for n in range(4)]).update(revoked_at=database_now())
    asked = _links(alice.get(f"{KEYS}?page=3"), "revocation")[0]
    (action,) = [found for found in _actions(alice.get(asked)) if "/revocation/" in found]
    page = _text(alice.post(action, follow=True))
    assert "was revoked at" in page
    assert "Page 2 of 2" in page


@pytest.mark.parametrize(
    "query",
    [
        {"page": "https://evil.test/"},
        {"page": "//evil.test"},
        {"page": "3\r\nLocation: https://evil.test"},
        {"page": "9" * 40},
        {"page": "٣"},
        {"next": "https://evil.test/"},
        {"archived": "proj_x", "changed": "user_x"},
        {"held": "-1", "revoked": "", "q": "\0 "},
    ],
)
def test_nothing_but_numbers_of_pages_and_a_search_is_taken_along(query: dict[str, str]) -> None:
    assert place_of(query) == ""


def test_a_search_is_taken_along_as_text(alice: Client, world: World) -> None:
    hostile = "//evil.test/?next=https://evil.test&x=\r\nSet-Cookie: a=b"
    key = APIKey.objects.filter(user=world.alice, revoked_at=None)[0]
    answer = alice.post(f"{KEYS}{key.public_id}/revocation/{place_of({'page': '2', 'q': hostile, 'next': 'x'})}")
    place = urlsplit(answer["Location"])
    assert (place.scheme, place.netloc, place.path) == ("", "", KEYS)
    assert dict(parse_qsl(place.query)) == {"page": "2", "q": hostile}


def test_a_list_whose_parameter_is_not_known_is_none() -> None:
    assert "another" not in NAMES
    with pytest.raises(AssertionError, match="another"):
        page_of([1], {}, name="another")


def _text(answer: Any) -> str:
    text: str = answer.content.decode()
    return text


def _main(answer: Any) -> str:
    return _text(answer).split("<main")[1].split("</main>")[0]


def _actions(answer: Any) -> list[str]:
    """Where the forms of the page's own part lead that change something."""
    return [unescape(found) for found in re.findall(r'<form method="post"\s+action="([^"]*)"', _main(answer))]


def _links(answer: Any, question: str) -> list[str]:
    return [unescape(found) for found in re.findall(rf'href="([^"]*/{question}/[^"]*)"', _main(answer))]


def _projects(organization: Organization) -> None:
    now = database_now()
    Project.objects.bulk_create(
        Project(organization=organization, name=f"{name} {number:04}", archived_at=archived_at)
        for name, archived_at in (("Now", None), ("Then", now))
        for number in range(MANY)
    )


def _provisioning(organization: Organization) -> None:
    now = database_now()
    ScimToken.objects.bulk_create(
        ScimToken(
            organization=organization,
            name=f"Token {number}",
            digest=f"{number} {revoked_at}".encode().ljust(32, b".")[:32],
            created_at=now,
            revoked_at=revoked_at,
        )
        for revoked_at in (None, now)
        for number in range(MANY)
    )
    ScimGroup.objects.bulk_create(
        ScimGroup(organization=organization, name=f"Group {number:04}", updated_at=now) for number in range(MANY)
    )


def _people(world: World) -> None:
    """Many in Acme, whose keys count elsewhere, and many organizations of Alice."""
    now = database_now()
    users = User.objects.bulk_create(
        User(email=f"person-{number:04}@acme.test", name=f"Person {number:04}") for number in range(MANY)
    )
    APIKey.objects.bulk_create(
        APIKey(
            user=user,
            name="Laptop",
            digest=f"{user.pk}".encode().ljust(32, b"."),
            redacted="sk-...",
            created_at=now,
            tracked=False,
        )
        for user in users
    )
    teams = Organization.objects.bulk_create(
        Organization(name=f"Club {number:04}", slug=f"club-{number:04}") for number in range(MANY)
    )
    Membership.objects.bulk_create(
        Membership(organization=organization, user=user, role=role, joined_at=now - timedelta(hours=1))
        for organization, user, role in (
            *((world.acme, user, "reader") for user in users),
            *((team, world.alice, "reader") for team in teams),
        )
    )


def _money(world: World) -> None:
    """Of many payers an open invoice, a held one and a balance; grants and webhooks of Acme, and webhooks of staff."""
    now = database_now()
    payers = Organization.objects.bulk_create(
        Organization(name=f"Team {number:04}", slug=f"team-{number:04}") for number in range(MANY)
    )
    Invoice.objects.bulk_create(in_favour(payer, number) for number, payer in enumerate(payers))
    Invoice.objects.bulk_create(
        Invoice(payer=payer, month=date(2026, 10, 1), subtotal=-1, total=-1, balance_change=1, held_at=now)
        for payer in payers
    )
    Invoice.objects.bulk_create(
        Invoice(
            payer=payer,
            month=date(2026, 8, 1),
            state="open",
            number=f"INV-2026-9{number:04}",
            place=2,
            subtotal=5,
            total=5,
            due=5,
            issue_date=date(2026, 9, 1),
            due_date=date(2026, 9, 1),
        )
        for number, payer in enumerate(payers)
    )
    CreditGrant.objects.bulk_create(
        CreditGrant(organization=world.acme, name=f"Grant {n}", amount=1, category="promotional", effective_at=now)
        for n in range(MANY)
    )
    WebhookEndpoint.objects.bulk_create(
        WebhookEndpoint(organization=of, url=f"https://example.com/{number}", encrypted_secret="x")
        for of in (world.acme, None)
        for number in range(MANY)
    )
    endpoint = WebhookEndpoint.objects.filter(organization=None).first()
    Delivery.objects.create(message_id="msg_1", event_type="t", recipient="r", endpoint=endpoint, next_attempt_at=None)
