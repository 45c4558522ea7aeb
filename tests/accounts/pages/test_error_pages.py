"""Refusals keep the frame and say why; a form that the session has overtaken is kept and can be sent again."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import get_resolver
from pytest_django import Settings

from accounts.models import Organization, User
from tests.accounts.test_access_walk import patterns_of
from tests.world import World

SignIn = Callable[[User], Client]
FRAME = '<nav class="side-list"'
NAME = "/settings/organization/acme/name/"
OWN = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
FOREIGN = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def strict(world: World) -> Client:
    """Alice's browser, in front of a server that wants the token of its forms."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.alice)
    return client


def test_what_a_role_does_not_reach_keeps_the_frame_and_names_the_owners(world: World, client_of: SignIn) -> None:
    answer = client_of(world.rita).get("/settings/organization/acme/members/")
    page = answer.content.decode()
    assert answer.status_code == 403
    assert FRAME in page
    assert "Only owners and admins can see the organization&#x27;s members." in page
    assert "An owner can change your role:\n    <bdi>Alice Ames</bdi>." in page
    assert "Organization: Acme" in page


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/settings/organization/other/members/", "None of your organizations has this address."),
        ("/settings/organization/acme/keys/key_1/", "Nothing that you may see has this address."),
        ("/nowhere/", "The address may be mistyped"),
        ("/invitations/nothing/", "It may have been sent again with a newer link."),
    ],
)
def test_what_is_not_found_keeps_the_frame_and_the_reason(
    world: World, client_of: SignIn, path: str, reason: str
) -> None:
    answer = client_of(world.rita).get(path)
    assert answer.status_code == 404
    assert FRAME in answer.content.decode()
    assert reason in answer.content.decode()


def test_no_page_that_a_browser_may_stand_on_refuses_to_be_read(world: World, client_of: SignIn) -> None:
    """A reload, a bookmark or the way back after signing in is a GET. Addresses with parts in them are in the access walk."""
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    for_programs = ("v1/", "api/v1/")
    paths = [found for found in patterns_of(get_resolver()) if "<" not in found and not found.startswith(for_programs)]
    assert {"accounts/logout/", "admin/logout/"} <= set(paths)
    for path in paths:
        answer = client_of(User.objects.get(pk=world.alice.pk)).get("/" + path)
        assert answer.status_code != 405, path


@pytest.mark.django_db
def test_who_is_not_signed_in_gets_the_reason_without_a_frame() -> None:
    page = Client().get("/invitations/nothing/").content.decode()
    assert "It may have been sent again with a newer link." in page
    assert FRAME not in page
    assert "Page not found" in Client().get("/nowhere/\0").content.decode()


def test_an_outsider_learns_nothing_about_an_organization_from_its_refusals(world: World, client_of: SignIn) -> None:
    client = client_of(world.charlie)
    pages = [client.get(f"/settings/organization/{slug}/").content.decode() for slug in ("acme", "never")]
    fresh = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
    assert fresh.sub("", pages[0]) == fresh.sub("", pages[1])


def test_a_stale_form_is_kept_and_sent_again_with_one_press(world: World, strict: Client) -> None:
    name = "\n<Acme> & „Söhne“"
    answer = strict.post(NAME, {"name": name, "csrfmiddlewaretoken": "x" * 64}, headers=OWN)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "You are signed in as <bdi>alice@acme.test</bdi>." in page
    assert '<textarea name="name" hidden>\n\n&lt;Acme&gt; &amp; „Söhne“</textarea>' in page
    (token,) = set(re.findall(r'action="/settings/organization/acme/name/">\s*<input[^>]* value="([^"]+)"', page))
    assert strict.post(NAME, {"name": name, "csrfmiddlewaretoken": token}, headers=OWN).status_code == 302
    assert Organization.objects.get(pk=world.acme.pk).name == name.strip()


@pytest.mark.parametrize("headers", [FOREIGN, {**FOREIGN, "Sec-Fetch-Site": "same-site"}, {"Origin": "null"}, {}])
def test_a_form_of_another_website_is_never_offered_again(strict: Client, headers: dict[str, str]) -> None:
    page = strict.post(NAME, {"name": "Evil"}, headers=headers)
    assert page.status_code == 403
    assert "This form did not come from here" in page.content.decode()
    assert "Evil" not in page.content.decode()
    assert NAME not in page.content.decode()


def test_passwords_are_not_sent_back(strict: Client) -> None:
    page = strict.post("/accounts/login/", {"login": "a@b.test", "password": "my secret"}, headers=OWN).content.decode()
    assert "Open the page again" in page
    assert "my secret" not in page


def test_an_operator_reads_which_setting_is_missing(strict: Client, settings: Settings) -> None:
    headers = {**OWN, "Origin": "https://usage.example.com"}
    page = strict.post(NAME, {"name": "New"}, headers=headers).content.decode()
    assert "<code>https://usage.example.com</code>" in page
    assert "CSRF_TRUSTED_ORIGINS" in page
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.com"]
    assert "Send it again" in strict.post(NAME, {"name": "New"}, headers=headers).content.decode()


def test_a_stale_part_of_a_page_says_so_on_the_page_that_is_opened_instead(strict: Client) -> None:
    path = "/settings/api-keys/key_1/tracking/"
    assert strict.post(path, {"tracked": "on"}, headers={**OWN, "HX-Request": "true"}).status_code == 403
    assert "nothing was changed. Try again." in strict.get(path, follow=True).content.decode()
