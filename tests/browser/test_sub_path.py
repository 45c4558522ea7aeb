"""Under a path of somebody's own site, behind their proxy that ends TLS, with SITE_ADDRESS as the only setting."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import override_settings
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WATCH_SCRIPT, Watched
from tests.browser.scene import Scene
from tests.machines.certificates import Authority
from tests.machines.proxies import Proxy, serving
from tests.world import PASSWORD
from usage_dashboard.machine.launcher import Plan, programs
from usage_dashboard.machine.processes import Child, last_lines, wait_until

OWN_ADDRESS: Final = re.compile(
    r'\s(?:href|src|action|formaction|hx-[a-z]+|data-[a-z-]*(?:address|url|href))="(/[^"]*)"'
)
MOST_PAGES: Final = 60
# The second is the hard one: what a proxy takes off is what a page of ours is called.
SITES: Final = [("/tools/usage-1.0", ""), ("/usage", ""), ("/usage", "/usage")]


@pytest.fixture(scope="module", params=SITES, ids=["path kept", "path of a page", "path taken off"])
def site(
    request: pytest.FixtureRequest, scene: Scene, redis_server: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address under which people reach web."""
    path, strips = request.param
    directory = tmp_path_factory.mktemp("site")
    proxy = Proxy(Authority(directory, "localhost").server, strips=strips)
    with serving(proxy):
        address = f"https://localhost:{proxy.server_port}{path}"
        web = started(directory, address, proxy)
        try:
            yield address
        finally:
            web.stop()


def started(directory: Path, address: str, proxy: Proxy) -> Child:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        proxy.upstream = int(probe.getsockname()[1])
    plan = Plan(data_dir=directory, port=proxy.upstream, host="127.0.0.1")
    with override_settings(WEB_WORKERS=1):
        arguments = programs(plan)["web"]
    own = {"DATA_DIR": str(directory), "DATABASE_URL": url_of_database(), "REDIS_URL": str(settings.REDIS_URL)}
    environment = {**os.environ, **own, "SITE_ADDRESS": f"{address}/", "SECRET_KEY": str(settings.SECRET_KEY)}
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=settings.BASE_DIR, env=environment, check=True, capture_output=True, timeout=120)
    web = Child(
        name="web",
        command=[sys.executable, *arguments],
        log=directory / "web.log",
        directory=settings.BASE_DIR,
        environment=environment,
    )
    web.start()
    assert wait_until(lambda: answers(proxy.upstream), timeout_seconds=60), last_lines(web.log)
    return web


def answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def url_of_database() -> str:
    """DATABASE_URL of the database that the scene is in."""
    known = connection.settings_dict
    user = quote(str(known["USER"]), safe="")
    password = f":{quote(str(known['PASSWORD']), safe='')}" if known["PASSWORD"] else ""
    host = urlencode({"host": known["HOST"], **({"port": known["PORT"]} if known["PORT"] else {})})
    return f"postgres://{user}{password}@/{known['NAME']}?{host}"


@pytest.fixture(scope="module")
def window(site: str, chromium: Browser, scene: Scene) -> Iterator[Watched]:
    """A browser in which Alice has signed in by the form, and what it complained about."""
    scene.world.alice.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt")
    scene.world.alice.save(update_fields=["password"])
    context = chromium.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.add_init_script(WATCH_SCRIPT)
    found = Watched(page, site)
    page.on("console", lambda message: note(found, message.type, message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    sign_in(page, site, scene)
    yield found
    context.close()


def path_of(site: str) -> str:
    return urlsplit(site).path


def test_charts_and_filters_work_in_place(window: Watched, site: str) -> None:
    page = window.open("/settings/organization/acme/usage/activity/")
    assert page.locator(".chart-drawing").count() > 0
    page.get_by_role("link", name="Cost", exact=True).first.click()
    expect(page).to_have_url(re.compile(rf"^{re.escape(site)}/settings/organization/acme/usage/cost/"))
    window.settle()
    assert page.evaluate("window.policy") == []
    assert window.complaints == []


def test_a_form_leads_back_with_its_message(window: Watched, site: str, scene: Scene) -> None:
    page = window.open("/settings/profile/")
    page.get_by_label("Name").fill("Alice of the path")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("status").first).to_be_visible()
    assert page.url == f"{site}/settings/profile/"
    scene.world.alice.refresh_from_db()
    assert scene.world.alice.name == "Alice of the path"
    assert window.complaints == []


def test_cookies_are_of_this_path_alone(window: Watched, site: str) -> None:
    window.open("/settings/profile/")
    cookies = window.page.context.cookies()
    assert {cookie["path"] for cookie in cookies} == {path_of(site)}
    assert all(cookie["secure"] and cookie["name"].startswith("__Secure-") for cookie in cookies)
    assert any(cookie["name"].endswith("-session") for cookie in cookies)


def test_every_address_on_every_page_is_under_the_path_and_leads_somewhere(window: Watched, site: str) -> None:
    """All that can be reached from the first page by links, and the files that these pages load."""
    seen, waiting, path = set[str](), [f"{site}/"], path_of(site)
    while waiting and len(seen) < MOST_PAGES:
        address = waiting.pop(0)
        answer = window.page.context.request.get(address)
        assert answer.ok, (address, answer.status)
        assert answer.url.startswith(f"{site}/")
        seen.add(address)
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        found = [unescape(each) for each in OWN_ADDRESS.findall(answer.text())]
        assert [each for each in found if not each.startswith(f"{path}/")] == [], address
        plain = {urljoin(site, each.partition("?")[0].partition("#")[0]) for each in found}
        waiting += sorted(each for each in plain - seen - {*waiting} if "logout" not in each)
    assert len(seen) > MOST_PAGES // 2


def test_programs_are_answered_under_the_path_and_beside_the_proxy(window: Watched, site: str) -> None:
    ask = window.page.context.request
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/v1/usage/events", 401)):
        method = ask.post if path.startswith("/v1") else ask.get
        assert method(f"{site}{path}").status == status, path
    assert "strict-transport-security" not in ask.get(f"{site}/accounts/login/").headers


def test_signing_out_leads_to_signing_in(window: Watched, site: str, chromium: Browser, scene: Scene) -> None:
    context = chromium.new_context(ignore_https_errors=True)
    page = context.new_page()
    sign_in(page, site, scene)
    page.goto(f"{site}/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site}/accounts/login/")
    context.close()


def sign_in(page: Page, site: str, scene: Scene) -> None:
    page.goto(f"{site}/")
    page.get_by_label("Email").fill(scene.world.alice.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(rf"^{re.escape(site)}/settings/organization/acme/usage/activity/"))


def note(found: Watched, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        found.complaints.append(text)
