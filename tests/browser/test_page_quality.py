"""Every page: accessible in light and dark, no sideways scroll on a phone, light, still, and silent."""

import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text()
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
MAX_BYTES = 100_000
MAX_REQUESTS = 30
ORGANIZATION = "/settings/organization/acme"
USAGE_PAGES = (
    f"{ORGANIZATION}/usage/activity/",
    f"{ORGANIZATION}/usage/cost/",
)
PAGES = (
    *USAGE_PAGES,
    f"{ORGANIZATION}/usage/activity/?group=api_key&model=gpt-4o&month=nonsense",
    f"{ORGANIZATION}/usage/cost/?group=user&chart=cumulative",
    f"{ORGANIZATION}/usage/activity/?list=api_key",
    f"{ORGANIZATION}/usage/cost/?list=api_key&q=worker",
    f"{ORGANIZATION}/usage/activity/?month=2020-01",
    f"{ORGANIZATION}/usage/activity/export/",
    f"{ORGANIZATION}/",
    f"{ORGANIZATION}/members/",
    f"{ORGANIZATION}/keys/",
    f"{ORGANIZATION}/billing/",
    f"{ORGANIZATION}/audit/",
    "/settings/profile/",
    "/api/docs",
    "/settings/api-keys/",
    "/settings/organizations/",
    "/settings/security/",
)
LOOKS: Final[tuple[tuple[int, Literal["light", "dark"]], ...]] = (
    (1380, "light"),
    (1380, "dark"),
    (360, "dark"),
    (360, "light"),
)


def violations(page: Page, rules: Sequence[str] = RULES) -> list[str]:
    """What axe finds, one line for each element."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE)
    found = page.evaluate("(rules) => axe.run(document, { runOnly: rules })", list(rules))
    return [
        f"{item['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for item in found["violations"]
        for node in item["nodes"]
    ]


@pytest.mark.parametrize("address", PAGES)
def test_axe_finds_nothing_and_a_phone_never_scrolls_sideways(browse: OpenBrowser, scene: Scene, address: str) -> None:
    window = browse(scene.world.alice)
    page = window.open(address)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        window.settle()
        assert violations(page) == [], f"{width} px, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_an_organization_is_new(browse: OpenBrowser, scene: Scene, scheme: Any) -> None:
    page = browse(scene.world.charlie).open("/settings/organization/other/usage/cost/")
    page.emulate_media(color_scheme=scheme)
    assert violations(page) == []
    page = browse(None).open("/accounts/login/")
    page.emulate_media(color_scheme=scheme)
    assert violations(page) == []


def test_an_open_day_and_an_open_dialog_are_accessible(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(f"{USAGE_PAGES[0]}?day={scene.today}")
    assert violations(page) == []
    page.get_by_role("link", name="Export").click()
    assert violations(page) == []


@pytest.mark.parametrize("width", [1380, 360])
@pytest.mark.parametrize("address", USAGE_PAGES)
def test_a_page_stays_within_its_budget(browse: OpenBrowser, scene: Scene, address: str, width: int) -> None:
    window = browse(scene.world.alice, width=width)
    answers: list[Response] = []
    window.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright wants a function
    page = window.open(address)
    page.wait_for_timeout(300)
    own = [answer for answer in answers if "plotly" not in answer.url]
    assert len(answers) <= MAX_REQUESTS
    assert sum(len(gzip.compress(answer.body())) for answer in own) <= MAX_BYTES
    assert all(answer.status == 200 for answer in answers)
    assert page.evaluate("window.shifts") <= 0.02
    page.get_by_label("Month before").click()
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifts") <= 0.02
    assert page.evaluate("window.policy") == []


def test_dark_is_chosen_and_kept(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(USAGE_PAGES[0])
    page.locator(".badge").click()
    page.get_by_role("button", name="Dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 18, 17)"


PRINTED: Final = {USAGE_PAGES[0]: "Usage of Acme Activity", USAGE_PAGES[1]: "Usage of Acme Cost"}


@pytest.mark.parametrize("address", USAGE_PAGES)
def test_a_month_prints_on_one_page_without_controls(browse: OpenBrowser, scene: Scene, address: str) -> None:
    page = browse(scene.world.alice).open(address)
    printed = page.pdf(format="A4", print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    page.emulate_media(media="print")
    assert not page.locator(".top-bar").is_visible()
    assert not page.get_by_role("link", name="Export").is_visible()
    shown = " ".join(page.locator("h1, .bar").all_inner_texts())
    assert " ".join(shown.split()) == f"{PRINTED[address]} {scene.today:%B %Y}"


def in_dark(page: Page) -> bool:
    """Whether the page and its chart are dark. The first bars have the colour of the first row of the table."""
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    row = page.locator(".parts .swatch").first.evaluate("(swatch) => getComputedStyle(swatch).backgroundColor")
    expect(page.locator("#chart-cost .bars .point path").first).to_have_css("fill", row)
    assert ground in ("rgb(19, 18, 17)", "rgb(251, 251, 250)", "rgb(255, 255, 255)")
    return bool(ground == "rgb(19, 18, 17)")


def test_paper_is_light_where_the_screen_is_dark(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(scene.world.alice)
    window.page.emulate_media(color_scheme="dark")
    page = window.open(USAGE_PAGES[1])
    assert in_dark(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    assert not in_dark(page)
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert in_dark(page)


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_switch_outweighs_the_system(browse: OpenBrowser, scene: Scene, system: Literal["light", "dark"]) -> None:
    window = browse(scene.world.bob)
    window.page.emulate_media(color_scheme=system)
    page = window.open(USAGE_PAGES[1])
    for chosen in ("light", "dark", ""):
        page.evaluate("(theme) => window.theme.choose(theme)", chosen)
        assert in_dark(page) == ((chosen or system) == "dark")
