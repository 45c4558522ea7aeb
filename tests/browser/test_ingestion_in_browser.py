"""The Ingestion page in a browser: how it looks everywhere, and a test event from the form to its row on Activity."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from accounts.clock import database_now
from accounts.models import User
from metering.ingestion_models import IngestCount, RefusedItem, Source, UnknownKey
from metering.intake.formats.events import Refusal
from metering.intake.received import received
from metering.intake.received.tally import tally
from tests.browser.conftest import OpenBrowser, Watched
from tests.browser.scene import Scene
from tests.browser.test_page_quality import LOOKS, violations
from tests.engine import days_ago, make_event, make_key, make_token, post, roll_up, send

PAGE = "/settings/ingestion/"
LONG = "A sentence of a refusal that goes on and on: " + "`a_very_long_name_of_a_field_that_somebody_invented` " * 4


@pytest.fixture
def staff(scene: Scene) -> User:
    User.objects.filter(pk=scene.world.charlie.pk).update(is_staff=True, is_superuser=True)
    return User.objects.get(pk=scene.world.charlie.pk)


@pytest.fixture
def much(scene: Scene) -> Iterator[None]:
    """All that the page can show."""
    token, key = make_token("gateway in Frankfurt"), make_key(scene.world.rita, "Much")
    good = [make_event(id=f"good-{place}", api_key_id=key.public_id) for place in range(40)]
    send(good, token)
    send([*good[:9], make_event(id="far", api_key_id=key.public_id, timestamp=days_ago(1000))], token)
    send([make_event(id=f"unknown-{place}", api_key_id=f"sk-{place}") for place in range(3)], token)
    send([make_event(id="typo", api_key_id="key_0123456789abcdefg", input_tokens=1)], token)
    post(b"{", token)
    received.note(Source.OTLP, None, [Refusal("invalid_measure", LONG, event_id="x" * 64)], normalised={"disjoint": 4})
    tally.write()
    now = database_now()
    for minutes in range(1, 60):
        for kind, number in (
            ("accepted", 30 + minutes * 7 % 50),
            ("duplicate", minutes % 7),
            ("rejected", minutes % 4),
        ):
            IngestCount.objects.create(
                grain="minute",
                began_at=(now - timedelta(minutes=minutes)).replace(second=0, microsecond=0),
                source="litellm",
                token_id=0,
                kind=kind,
                code="" if kind != "rejected" else "unknown_api_key",
                number=number,
            )
    yield
    for model in (IngestCount, RefusedItem, UnknownKey):
        model.objects.all().delete()


def require_good_looks(window: Watched) -> None:
    page = window.page
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        window.settle()
        assert violations(page) == [], f"{width} px, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_empty_page_looks_well_everywhere(browse: OpenBrowser, scene: Scene, staff: User) -> None:
    window = browse(staff)
    page = window.open(PAGE)
    expect(page.get_by_text("Nothing came in during the last 60 minutes.")).to_be_visible()
    require_good_looks(window)


def test_the_full_page_looks_well_everywhere(browse: OpenBrowser, scene: Scene, staff: User, much: None) -> None:
    window = browse(staff)
    page = window.open(PAGE)
    expect(page.get_by_role("cell", name="gateway in Frankfurt").first).to_be_visible()
    require_good_looks(window)
    page.get_by_text("Show numbers").first.click()
    page.get_by_role("link", name=re.compile("^Import the key sha256:")).first.click()
    expect(page.get_by_label("SHA-256 of its secret")).to_be_visible()
    assert violations(page) == []
    require_import_by_phone(window)


def require_import_by_phone(window: Watched) -> None:
    """The button is there without scrolling sideways, and what is wrong is said where the eye is."""
    page = window.page
    page.set_viewport_size({"width": 390, "height": 900})
    window.open(PAGE)
    button = page.get_by_role("link", name=re.compile("^Import the key sha256:")).first
    box = button.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390
    button.click()
    page.get_by_label("Owner's email").fill("rita@acme.test")
    page.get_by_label("Name of the key").fill("Old")
    page.get_by_label("SHA-256 of its secret").fill("abc")
    page.get_by_role("button", name="Import key").click()
    expect(page.get_by_text("Enter the 64 hexadecimal digits of the SHA-256.")).to_be_in_viewport()


def test_a_test_event_is_followed_to_its_row(browse: OpenBrowser, scene: Scene, staff: User) -> None:
    key = make_key(staff, "Trial")
    page = browse(staff).open(PAGE)
    page.get_by_role("heading", name="Send a test event").click()
    page.get_by_label("API key").fill(key.public_id)
    page.get_by_label("Model").fill("model-of-the-test-event")
    page.get_by_role("button", name="Send test event").click()
    trial = page.locator("#trial")
    expect(trial).to_contain_text('"accepted":1')
    expect(trial).to_contain_text("It shows on Activity within seconds.")
    roll_up()
    expect(trial.get_by_role("link", name="see it on Activity")).to_be_visible()
    trial.get_by_role("link").click()
    expect(page.get_by_role("region", name="Top API keys")).to_contain_text("Trial")
