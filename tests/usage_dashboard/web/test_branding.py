"""An installation under its operator's name: pages, emails, invoices and what pages load."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.installation.brand import Brand, Image
from accounts.installation.colors import accent
from accounts.mail import compose
from accounts.models import User
from tests.world import World

LOGO = Image(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml")
OURS = Brand(
    "Northwind & Sons",
    logo=LOGO,
    icon=Image(b"\x89PNG\r\n\x1a\n", "image/png"),
    accent=accent("#7c3aed"),
    support_url="mailto:help@northwind.test",
    terms_url="https://northwind.test/terms",
)


@pytest.fixture
def ours(settings: Settings) -> Brand:
    settings.BRAND = OURS
    return OURS


def test_pages_say_whose_they_are(ours: Brand, world: World, client_of: Callable[[User], Client]) -> None:
    page = client_of(world.alice).get("/settings/profile/").content.decode()
    assert f'src="/branding/logo?v={LOGO.version}"' in page
    assert 'alt="Northwind &amp; Sons"' in page
    assert f'href="/branding/colors.css?v={OURS.accent and OURS.accent.version}"' in page
    assert 'href="mailto:help@northwind.test"' in page
    assert 'href="https://northwind.test/terms"' in page
    assert "Privacy" not in page
    assert "Usage Dashboard" not in page


@pytest.mark.parametrize("address", ["/accounts/login/", "/nowhere/at/all"])
def test_pages_of_people_who_are_not_signed_in_say_so_too(ours: Brand, db: None, client: Client, address: str) -> None:
    page = client.get(address).content.decode()
    assert "Northwind &amp; Sons" in page
    assert "Usage Dashboard" not in page


def test_an_installation_without_settings_has_the_product_s_name(db: None, client: Client) -> None:
    page = client.get("/accounts/login/").content.decode()
    assert "Usage Dashboard" in page
    assert "/branding/" not in page
    assert "brand-links" not in page


def test_emails_have_the_name_and_the_colour(ours: Brand) -> None:
    message = compose(subject="Hello", text="Some words.", to="rita@acme.test")
    html = str(message.alternatives[0][0])
    assert "Northwind &amp; Sons" in html
    assert "#7c3aed" in html
    assert "#0b6b5d" not in html


def test_images_and_colours_may_be_kept_and_run_nothing(ours: Brand, client: Client) -> None:
    logo = client.get("/branding/logo")
    assert (logo.content, logo["Content-Type"]) == (LOGO.body, "image/svg+xml")
    assert logo["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert "immutable" in logo["Cache-Control"]
    assert client.get("/branding/icon")["Content-Type"] == "image/png"
    styles = client.get("/branding/colors.css")
    assert styles["Content-Type"].startswith("text/css")
    assert "--accent: light-dark(#7c3aed, " in styles.content.decode()


@pytest.mark.parametrize("name", ["logo", "icon", "colors.css"])
def test_what_is_not_set_is_not_there(db: None, client: Client, name: str) -> None:
    assert client.get(f"/branding/{name}").status_code == 404
