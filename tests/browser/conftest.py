"""A real Chromium against a live server, whose data is made once per module and removed after it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from tests.browser.scene import Scene, make_scene

ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CHROMIUMS: Final = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
WATCH_SCRIPT: Final = """
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    window.policy = [];
    document.addEventListener("securitypolicyviolation", (event) => window.policy.push(event.violatedDirective));
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder opens pages in Chromium."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = next((path for path in CHROMIUMS if Path(path).exists()), None)
    if path is None:
        pytest.fail("The browser tests need Chromium: install the package “chromium”.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database, opened for a whole module and without a transaction around each test. pytest-django looks for
    this name to know that the database must be made.

    Playwright keeps an event loop running in this thread, in which Django would refuse to ask the database, and has a
    connection of its own.
    """
    assert connection.settings_dict["NAME"].startswith("test_")
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield
        connection.close()


@pytest.fixture(scope="module")
def scene(db: None, chromium: Browser) -> Iterator[Scene]:
    """The data of a module's tests, committed so that the server sees it."""
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=hashers):
        yield make_scene()
        call_command("flush", interactive=False, verbosity=0)
        connection.close()  # the one beside Playwright's loop, which `db` cannot see


@pytest.fixture(scope="module")
def server(scene: Scene) -> Iterator[str]:
    """The address of a server of this process."""
    found = LiveServer("localhost")
    yield str(found)
    found.stop()


@dataclass
class Watched:
    """A page, and what it complained about."""

    page: Page
    server: str
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str) -> Page:
        """The page at this address, its charts drawn."""
        self.page.goto(self.server + address)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Waits until every chart that is there has been drawn."""
        self.page.wait_for_load_state("load")
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.chart-drawing')].every((box) => box.querySelector('.bars .point'))"
        )

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).first.inner_text().split())


OpenBrowser = Callable[..., Watched]


@pytest.fixture(scope="module")
def contexts(chromium: Browser, server: str, scene: Scene) -> Iterator[Callable[..., BrowserContext]]:
    """A browser per user and kind, with the user signed in; kept for the module, so that its cache is warm."""
    known: dict[tuple[Any, ...], BrowserContext] = {}

    def context_of(user: User | None, **settings: Any) -> BrowserContext:
        key = (user, *settings.items())
        if key not in known:
            known[key] = chromium.new_context(**settings)
            if user is not None:
                client = Client()
                client.force_login(user)
                name = django_settings.SESSION_COOKIE_NAME
                cookie = {"name": name, "value": client.cookies[name].value, "url": server}
                known[key].add_cookies([cookie])  # type: ignore[list-item]
        return known[key]

    yield context_of
    for context in known.values():
        context.close()


@pytest.fixture
def browse(contexts: Callable[..., BrowserContext], server: str) -> Iterator[OpenBrowser]:
    """Opens a window in which a user is signed in; complaints of its page fail the test."""
    opened: list[Watched] = []

    def window(user: User | None, *, width: int = 1380, **settings: Any) -> Watched:
        page = contexts(user, **settings).new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.add_init_script(WATCH_SCRIPT)
        found = Watched(page, server)
        page.on("console", lambda message: _note(found, message.type, message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        opened.append(found)
        return found

    yield window
    for found in opened:
        found.page.close()
    assert [complaint for found in opened for complaint in found.complaints] == []


def _note(found: Watched, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        found.complaints.append(text)
