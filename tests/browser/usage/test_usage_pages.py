"""What people do on the Usage tab, in a real browser."""

import csv
import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from metering.models import OrganizationDailyUsage
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import NUM_KEYS, PLOTLY_NAMES, PRICE, SCRIPT_NAME, Scene
from tests.usage.rollup_rows import add_usage, sku_of
from tests.world import PASSWORD

TAB = "/settings/organization/acme/usage"
ACTIVITY, COST = f"{TAB}/activity/", f"{TAB}/cost/"


def requests_of(scene: Scene) -> str:
    return f"{100 * scene.today.day + 7 + 3 + 3 + 2 + 30 + NUM_KEYS:,}"


def test_an_owner_signs_in_and_sees_bars_and_exact_totals(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(None)
    page = window.open("/usage")
    page.get_by_label("Email").fill(scene.world.alice.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**{ACTIVITY}")
    window.settle()
    assert window.text("#chart-requests .card-total") == requests_of(scene)
    assert page.locator("#chart-requests .bars .point").count() >= scene.today.day
    expect(page.get_by_text("Successfully")).to_have_count(0)
    page.get_by_role("link", name="Cost", exact=True).click()
    expect(page.locator(".figure-value").first).to_have_attribute("title", _spend(scene))


def _spend(scene: Scene) -> str:
    tokens = 900_000 * scene.today.day + 2_000_000_000_000 + 20
    return f"${tokens * PRICE:,.5f}".rstrip("0")


def test_filters_combine_and_the_browser_goes_back_and_forward(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(scene.world.alice)
    page = window.open(ACTIVITY)
    page.locator(".legend-name", has_text="gpt-4o").first.click()
    expect(page.get_by_label("Remove filter Model gpt-4o")).to_be_visible()
    page.get_by_role("link", name=re.compile("Rita Rao")).click()
    expect(page.get_by_label("Remove filter User Rita Rao")).to_be_visible()
    window.settle()
    assert window.text("#chart-requests .card-total") == f"{100 * scene.today.day:,}"
    page.go_back()
    expect(page.get_by_label("Remove filter User Rita Rao")).to_have_count(0)
    page.go_forward()
    expect(page.get_by_label("Remove filter User Rita Rao")).to_be_visible()
    page.get_by_role("link", name="Clear all filters").click()
    expect(page.locator(".chip")).to_have_count(0)


def test_months_and_views_keep_what_was_chosen(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(scene.world.alice)
    page = window.open(f"{COST}?group=user")
    page.get_by_label("Month before").click()
    before = scene.today.replace(day=1) - timedelta(days=1)
    expect(page.locator(".pager strong")).to_have_text(f"{before:%B %Y}")
    expect(page.locator(".figure-value").first).to_have_text("$2.50")
    page.get_by_label("Month after").click()
    page.get_by_role("link", name="Cumulative").click()
    expect(page.locator("#chart-cost h2")).to_have_text("Cumulative cost")
    page.get_by_role("link", name="Activity", exact=True).click()
    expect(page.locator("summary", has_text="Group by")).to_contain_text("User")


def test_a_click_on_a_bar_opens_the_day_and_the_chip_closes_it(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(scene.world.alice)
    page = window.open(ACTIVITY)
    bars = page.locator("#chart-requests .bars .point path")
    box = bars.first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 3)
    page.wait_for_url("**day=*")
    window.settle()
    first = scene.today.replace(day=1)
    expect(page.locator(".moment .chip-label")).to_have_text(f"{first:%b} 1")
    assert window.text("#chart-requests .card-total") == "100"
    page.locator("#chart-requests summary").click()
    page.locator("#chart-requests .numbers-table").get_by_role("link", name="10:00").click()
    page.wait_for_url("**hour=10*")
    page.get_by_label("Close 10:00–11:00").click()
    page.get_by_label(f"Close {first:%b} 1").click()
    expect(page.locator(".moment")).to_have_count(0)


def test_the_tooltip_shows_names_and_values_as_they_are(browse: OpenBrowser, scene: Scene) -> None:
    day = scene.today.replace(year=scene.today.year - 1, month=3, day=1)
    for name in PLOTLY_NAMES:
        add_usage(scene.world.acme, day, scene.world.bob, None, sku_of(name), num_model_requests=1000)
    window = browse(scene.world.alice)
    page = window.open(f"{ACTIVITY}?month={day:%Y-%m}")
    box = page.locator("#chart-requests .bars .point path").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 3)
    tooltip = page.locator("#chart-requests .hoverlayer .legend")
    expect(tooltip).to_contain_text("3,000")
    for name in PLOTLY_NAMES:
        expect(tooltip).to_contain_text(re.compile(rf"1,000\s+33\.3%\s+{re.escape(name)}"))


def test_export_gives_a_file_with_the_filters_of_the_page(browse: OpenBrowser, scene: Scene, tmp_path: Path) -> None:
    window = browse(scene.world.alice, accept_downloads=True)
    page = window.open(f"{ACTIVITY}?model=gpt-4o")
    page.get_by_role("link", name="Export").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_label("First day").fill(f"{scene.today - timedelta(days=90)}")
    dialog.get_by_role("button", name="Download CSV").click()
    expect(dialog).to_be_visible()
    assert "at most 60 days" in dialog.get_by_label("Last day").evaluate("field => field.validationMessage")
    dialog.get_by_label("First day").fill(f"{scene.today.replace(day=1)}")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "activity.csv")
    with (tmp_path / "activity.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == {"gpt-4o"}
    assert sum(int(row["num_requests"]) for row in rows) == 100 * scene.today.day + 30
    expect(dialog).to_be_hidden()


def test_everything_is_reached_by_keyboard_and_focus_stays(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(ACTIVITY)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    group = page.locator("summary", has_text="Group by")
    group.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**group=project*")
    previous = page.get_by_label("Month before")
    previous.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**month=*")
    expect(previous).to_be_focused()
    page.get_by_role("link", name="Export").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_list_of_many_keys_is_searched_and_paged(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(ACTIVITY)
    page.get_by_role("link", name="All 62 API keys").click()
    expect(page.locator(".list-page .card-total")).to_have_text("62 API keys, page 1 of 2")
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".list-page tbody tr")).to_have_count(12)
    page.get_by_role("searchbox").fill("worker-4")
    page.keyboard.press("Enter")
    expect(page.locator(".list-page .card-total")).to_have_text("10 API keys found")
    page.get_by_role("link", name="worker-42").click()
    expect(page.get_by_label("Remove filter API key worker-42")).to_be_visible()
    expect(page.locator("#chart-requests .card-total")).to_have_text("1")


def test_numbers_change_in_place_and_an_unchanged_page_is_not_sent_again(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(scene.world.charlie)
    page = window.open("/settings/organization/other/usage/activity/")
    add_usage(scene.world.other, scene.today, scene.world.charlie, None, sku_of("o3"), num_model_requests=5)
    page.reload()
    window.settle()
    page.get_by_label("Month before").focus()
    page.evaluate("window.kept = document.querySelector('#chart-requests .chart-drawing')")
    statuses: list[int] = []
    page.on(
        "response", lambda answer: statuses.append(answer.status) if answer.request.resource_type == "fetch" else None
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(400)
    OrganizationDailyUsage.objects.filter(organization_id=scene.world.other.pk).update(num_model_requests=6)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#chart-requests .card-total")).to_have_text("6")
    assert statuses == [304, 200]
    expect(page.get_by_label("Month before")).to_be_focused()
    assert page.evaluate("window.kept === document.querySelector('#chart-requests .chart-drawing')")
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(300)
    assert statuses == [304, 200]


def test_names_of_callers_are_text(browse: OpenBrowser, scene: Scene) -> None:
    window = browse(scene.world.alice)
    window.page.on("dialog", lambda dialog: window.complaints.append(dialog.message))
    page = window.open(f"{ACTIVITY}?group=model")
    expect(page.locator(".legend-name", has_text=SCRIPT_NAME)).to_have_count(1)


@pytest.mark.parametrize("address", [ACTIVITY, COST])
def test_without_scripts_tables_and_links_do_everything(browse: OpenBrowser, scene: Scene, address: str) -> None:
    window = browse(scene.world.alice, java_script_enabled=False)
    page = window.page
    page.goto(window.server + address)
    expect(page.locator(".numbers-table").first).to_be_visible()
    expect(page.locator(".chart-canvas").first).to_be_hidden()
    page.locator(".numbers-table").first.get_by_role("link").first.click()
    expect(page.locator(".moment")).to_be_visible()
    page.get_by_role("link", name="Export").click()
    expect(page.get_by_role("heading", name="Export")).to_be_visible()
    page.get_by_label("First day").fill(f"{scene.today - timedelta(days=90)}")
    page.get_by_role("button", name="Download CSV").click()
    expect(page.get_by_role("alert")).to_contain_text("at most 60 days")
    window.complaints.clear()  # the browser calls every answer 400 an error


def test_the_last_of_several_quick_clicks_wins(browse: OpenBrowser, scene: Scene) -> None:
    page = browse(scene.world.alice).open(COST)
    page.evaluate("""() => {
        document.querySelector("#month-previous").click();
        document.querySelector("#chart-2").click();
    }""")
    expect(page.locator("#chart-cost h2")).to_have_text("Cumulative cost")
    page.wait_for_timeout(300)
    assert page.url.endswith("?chart=cumulative")
