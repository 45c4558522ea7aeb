"""`/api/docs`: every address with what it takes and answers, for everybody, with a reader's own ids for who is signed in."""

import html
import re
from collections.abc import Callable
from typing import Any

from django.test import Client

from accounts.models import User
from tests.engine import make_key
from tests.exports.openai_api.filled import make_admin_key
from tests.usage.what_for import make_project
from tests.world import World
from usage_dashboard.apidocs.generator import document

SignIn = Callable[[User], Client]
PAGE = "/api/docs"
KEYS = "/settings/organization/acme/admin-keys/"


def page_of(client: Client) -> str:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def part_of(page: str, operation_id: str) -> str:
    """What the page says of one address."""
    return page.partition(f'id="{operation_id}"')[2].partition("</details>")[0]


def test_every_parameter_and_every_code_is_there(world: World) -> None:
    page = page_of(Client())
    for path, methods in document()["paths"].items():
        for entry in methods.values():
            part = part_of(page, entry["operationId"])
            assert path in page
            for parameter in entry.get("parameters", ()):
                assert f"<code>{parameter['name']}</code>" in part, (path, parameter["name"])
            for status, answer in entry["responses"].items():
                codes = re.findall(r"^`(\w+)`: ", answer["description"], re.MULTILINE)
                assert all(f"<code>{code}</code>" in part for code in codes), (path, status)


def test_fields_of_bodies_and_answers_are_there_with_their_types(world: World) -> None:
    page = page_of(Client())
    events = part_of(page, "post_usage_events")
    assert all(f"<code>{name}</code>" in events for name in ("timestamp", "input_cached_tokens", "results[].status"))
    completions = part_of(page, "get_organization_usage_completions")
    assert "<code>data[].results[].input_cache_write_30m_tokens</code>" in completions
    assert "integer, 1 to 1440" in completions


def test_a_stranger_reads_it_with_nobodys_ids(world: World) -> None:
    make_key(world.rita)
    page = page_of(Client())
    assert "organization_ids=org_…" in page
    assert "/accounts/login/?next=/api/docs" in page
    assert not re.search(r"\b(org|user|key|proj|adminkey)_[0-9A-Za-z]{17}\b", page)
    assert "acme" not in page.lower()


def test_a_reader_finds_their_own_ids_and_nobody_elses(world: World, client_of: SignIn) -> None:
    own, others = make_key(world.rita), make_key(world.bob)
    make_project(world.acme, "Search")
    project = world.acme.projects.get(is_default=True)
    page = page_of(client_of(world.rita))
    for value in (world.acme.public_id, world.rita.public_id, own.public_id, project.public_id):
        assert value in page
    for value in (others.public_id, world.bob.public_id, world.other.public_id):
        assert value not in page


def test_ids_of_admin_keys_are_shown_to_owners_alone(world: World, client_of: SignIn) -> None:
    make_admin_key(world.acme)
    assert "admin_api_keys/adminkey_…" not in page_of(client_of(world.alice))
    for user in (world.bob, world.rita, world.charlie):
        assert "admin_api_keys/adminkey_…" in page_of(client_of(user))


def test_owners_are_led_to_their_keys_and_others_told_who_makes_them(world: World, client_of: SignIn) -> None:
    assert f'href="{KEYS}"' in page_of(client_of(world.alice)).partition("<main")[2]
    for client in (client_of(world.bob), client_of(world.rita), Client()):
        page = page_of(client)
        assert KEYS not in page
        assert "Owners create them" in page


def test_it_is_there_for_a_person_without_an_organization(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.rita.pk).update(default_organization=None)
    world.rita.memberships.all().delete()
    assert "organization_ids=org_…" in page_of(client_of(world.rita))


def test_pages_lead_to_it(world: World, client_of: SignIn) -> None:
    assert f'href="{PAGE}"' in client_of(world.rita).get("/settings/profile/").content.decode()
    assert f'href="{PAGE}"' in client_of(world.alice).get(KEYS).content.decode().partition("<main")[2]


def test_it_asks_the_database_little(world: World, client_of: SignIn, django_assert_max_num_queries: Any) -> None:
    client = client_of(world.alice)
    client.get(PAGE)
    with django_assert_max_num_queries(12):
        client.get(PAGE)
