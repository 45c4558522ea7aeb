"""Charts for everybody: what a pointer, a finger, a screen reader and forced colours get of them."""

import re
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene
from tests.browser.test_page_quality import violations

TAB: Final = "/settings/organization/acme/usage"
ACTIVITY, COST = f"{TAB}/activity/", f"{TAB}/cost/"
PHONE: Final[dict[str, Any]] = {"width": 390, "has_touch": True, "is_mobile": True}


def first_bar(page: Page) -> tuple[float, float]:
    """A point within the first bar of the chart of requests, near its foot."""
    box = page.locator("#chart-requests .bars .point path").first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] - 3


def test_the_tooltip_has_cents_shares_and_what_a_click_does(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(COST)
    box = page.locator("#chart-cost .bars .point path").last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 3)
    tooltip = page.locator("#chart-cost .hoverlayer .legend")
    expect(tooltip).to_contain_text("Click: hours · Shift-click: only this")
    lines = [" ".join(line.split()) for line in tooltip.locator(".legendtext").all_text_contents()]
    assert re.fullmatch(r"\$5,000,002\.25 100\.0% Total", lines[0])
    assert re.fullmatch(r"\$5,000,000\.00 100\.0% o3", lines[1])


def test_shift_and_a_click_narrow_the_page_to_the_part_under_the_pointer(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(ACTIVITY)
    box = page.locator("#chart-requests .bars").nth(1).locator(".point path").first.bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.up("Shift")
    expect(page.get_by_label("Remove filter Model gpt-4o-mini")).to_be_visible()


def test_a_tap_says_the_values_and_the_next_one_opens_the_bar(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(scene.world.alice, **PHONE)
    page = window.open(ACTIVITY)
    values = page.locator("#chart-requests [data-values]")
    expect(values).to_be_hidden()
    page.locator("#chart-requests").scroll_into_view_if_needed()
    page.touchscreen.tap(*first_bar(page))
    first = scene.today.replace(day=1)
    expect(values).to_have_text(f"{first:%b} 1: gpt-4o 100 · gpt-4o-mini 60 · Total 160 · Tap again to open")
    assert "day=" not in page.url
    page.wait_for_timeout(600)
    page.touchscreen.tap(*first_bar(page))
    page.wait_for_url("**day=*")
    expect(page.locator(".moment")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_leave_bars_swatches_and_switch_apart(browse: OpenBrowser, scene: Scene, scheme: Any) -> None:
    window = browse(scene.world.alice, forced_colors="active", color_scheme=scheme)
    page = window.open(ACTIVITY)
    bars = page.locator("#chart-requests .bars").evaluate_all(
        "(traces) => traces.map((trace) => getComputedStyle(trace.querySelector('.point path')).fill)"
    )
    swatches = page.locator("#chart-requests .swatch").evaluate_all(
        "(found) => found.map((swatch) => getComputedStyle(swatch).backgroundColor)"
    )
    assert len(set(bars)) == len(bars) > 3
    assert bars == swatches
    page.goto(window.server + "/settings/api-keys/")
    assert violations(page) == []


def test_the_switch_is_seen_in_forced_colours(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.rita, forced_colors="active").open("/settings/api-keys/")
    colors = page.get_by_role("switch").first.evaluate(
        "(found) => ['::before', '::after'].map((part) => getComputedStyle(found, part).backgroundColor)"
    )
    assert colors[0] != colors[1]


def test_each_chart_is_a_heading_and_a_figure_of_that_name(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(ACTIVITY)
    for name in ("API requests", "Tokens", "Audio transcription", "Top users"):
        expect(page.get_by_role("heading", name=name, level=2, exact=True)).to_be_visible()
    expect(page.get_by_role("figure", name="Tokens", exact=True)).to_be_visible()


def test_links_say_what_they_are_about(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.rita).open("/settings/api-keys/")
    for name in ("Rename search-prod", "Rotate search-prod…", "Revoke search-prod…"):
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(1)
