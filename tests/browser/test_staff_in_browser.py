"""Staff's home, System, Users, and an organization opened as staff, in a browser: how they look, and the way through them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from pytest_django import Settings

from accounts.audit.audit import SYSTEM_ACTOR
from accounts.clock import database_now
from accounts.models import AuditEvent, User
from billing.alerts import Delivery, StaffNews, WebhookEndpoint, WebhookFormat
from billing.notices import endpoints, outbox
from tests.browser.conftest import OpenBrowser, Watched
from tests.browser.scene import Scene
from tests.browser.test_page_quality import LOOKS, violations
from tests.world import PASSWORD
from usage_dashboard.models import DismissedStep

pytestmark = pytest.mark.usefixtures("nobody_to_wait_for")
HOME = "/settings/staff/"
LONG = "a-very-long-address-that-somebody-invented-for-themselves-and-that-has-to-fit@customers.example.com"


@pytest.fixture
def staff(scene: Scene) -> Iterator[User]:
    """In no organization of the scene, and no other test's staff."""
    user = User.objects.create_user("sam@operator.test", PASSWORD, name="Sam", is_staff=True, is_superuser=True)
    yield user
    DismissedStep.objects.all().delete()


def require_good_looks(window: Watched) -> None:
    page = window.page
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        window.settle()
        assert violations(page) == [], f"{page.url}, {width} px, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url}, {width} px"


def test_staff_s_way_through_its_pages(browse: OpenBrowser, scene: Scene, staff: User) -> None:
    """One story, because a flush of the data parts modules: home, System, Users, an organization opened and left."""
    slug = scene.world.acme.slug
    person = User.objects.create_user(LONG, PASSWORD, name="Somebody with a long name " * 4)
    window = browse(staff)
    page = window.open("/usage")
    assert page.url.endswith(HOME)
    require_good_looks(window)
    page.set_viewport_size({"width": 1380, "height": 900})
    page.get_by_role("button", name="Dismiss Single sign-on").click()
    expect(page.get_by_text("“Single sign-on” is dismissed.")).to_be_visible()
    page.get_by_text("Dismissed (1)").click()
    expect(page.get_by_role("button", name="Put Single sign-on on the list again")).to_be_visible()
    require_good_looks(window)

    window.open(f"{HOME}state/")
    require_good_looks(window)
    window.open("/settings/users/")
    require_good_looks(window)
    window.open(f"/settings/users/{person.public_id}/")
    require_good_looks(window)
    window.open(f"/settings/users/{person.public_id}/deactivation/")
    require_good_looks(window)

    page = window.open(f"/settings/customers/{slug}/opening/")
    require_good_looks(window)
    page.set_viewport_size({"width": 1380, "height": 900})
    page.get_by_label("Reason (optional)").fill("Ticket 12")
    page.get_by_role("button", name="Open", exact=True).click()
    page.wait_for_url(f"**/settings/organization/{slug}/usage/activity/")
    window.settle()
    mark = page.get_by_role("region", name="Opened as staff")
    expect(mark).to_contain_text("You see this as staff")
    require_good_looks(window)
    for path in ("usage/cost/", "billing/", "members/", "audit/", ""):
        window.open(f"/settings/organization/{slug}/{path}")
        expect(mark).to_contain_text("to read only")
        require_good_looks(window)
    page.set_viewport_size({"width": 1380, "height": 900})
    mark.get_by_role("button", name="Leave").click()
    expect(page.get_by_text(f"You left {scene.world.acme.name}.")).to_be_visible()
    page.goto(f"{window.server}/settings/organization/{slug}/")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    assert AuditEvent.objects.filter(event="organization.opened_by_staff").count() == 1
    window.complaints[:] = [found for found in window.complaints if "404" not in found]


def test_where_staff_hears_of_what_goes_wrong(browse: OpenBrowser, scene: Scene, settings: Settings) -> None:
    """Empty, with a chat added there, and full, with what was sent, failed and was switched off."""
    settings.WEBHOOK_PRIVATE_ADDRESSES = True  # nothing is sent: no name of a host is looked up
    window = browse(
        User.objects.create_user("una@operator.test", PASSWORD, name="Una", is_staff=True, is_superuser=True)
    )
    page = window.open("/settings/news/")
    require_good_looks(window)
    page.set_viewport_size({"width": 1380, "height": 900})
    page.get_by_label("For").select_option("Slack")
    page.get_by_label("URL").fill("http://127.0.0.1/services/T/B/secret")
    page.get_by_label("New ingest tokens").uncheck()
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_text("Messages go to Slack from now on")).to_be_visible()
    assert "services/T/B" not in page.content()

    fill_with_news()
    window.open("/settings/news/")
    expect(page.get_by_text("Switched off")).to_be_visible()
    expect(page.get_by_text("Given up")).to_be_visible()
    require_good_looks(window)


def fill_with_news() -> None:
    long = f"https://{'a-long-name-of-a-host.' * 4}example.com/{'path' * 40}"
    gone = endpoints.add(None, long, actor=SYSTEM_ACTOR, event_types=[StaffNews.BEHIND, StaffNews.FAILED])
    endpoints.add(None, "https://example.com/hook", actor=SYSTEM_ACTOR, format=WebhookFormat.DISCORD)
    outbox.tell_staff(
        "billing.view_price",
        message_id="msg_behind_1",
        event_type=StaffNews.BEHIND,
        subject="Rollups are 7 minutes behind",
        text="Rollups are 7 minutes behind.",
        page="overview:state",
    )
    now = database_now()
    error = "The endpoint did not respond within 10 s."
    WebhookEndpoint.objects.filter(pk=gone.pk).update(failing_since=now, switched_off_at=now, last_error=error)
    gone.deliveries.update(next_attempt_at=None, last_error=error, num_attempts=9)
    Delivery.objects.filter(endpoint=None).update(next_attempt_at=None, delivered_at=now)


def test_system_looks_again_by_itself(browse: OpenBrowser, scene: Scene) -> None:
    staff = User.objects.create_user("tom@operator.test", PASSWORD, name="Tom", is_staff=True, is_superuser=True)
    window = browse(staff)
    window.page.clock.install()
    page = window.open(f"{HOME}state/")
    page.evaluate("document.getElementById('system').dataset.before = 'yes'")
    page.wait_for_function("() => Boolean(window.htmx)")
    with page.expect_response(f"**{HOME}state/"):
        page.clock.run_for(31_000)
    page.wait_for_function("() => document.getElementById('system')?.dataset.before === undefined")
    expect(page.get_by_role("heading", name="Programs")).to_be_visible()
