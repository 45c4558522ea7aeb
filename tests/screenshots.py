"""Pictures of the pages for a person to look at: `make screenshots`, or `python -m tests.screenshots [address]`.

They go to screenshots/ (not in the repository): Activity and Cost, wide and on a phone, in light and dark, with a full and
an empty organization, and an open day, a list, the export and a printed month. Without the address of a running demo, one
is started in a directory of its own and stopped afterwards.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "screenshots"
CHROMIUMS: Final = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
START_SECONDS: Final = 300
PASSWORD: Final = "usage-dashboard-demo"  # the one that `make demo` prints
OWNER: Final = "owner@acme.test"
ACME: Final = "/settings/organization/acme"
VIEWS: Final = {"activity": f"{ACME}/usage/activity/", "cost": f"{ACME}/usage/cost/"}
WIDTHS: Final = {"wide": 1380, "phone": 390}
# name → address, width
MORE: Final = {
    "cost-by-key": (f"{VIEWS['cost']}?group=api_key", 1380),
    "all-keys": (f"{VIEWS['activity']}?list=api_key", 1380),
    "export": (f"{VIEWS['activity']}export/", 1380),
    "empty-month": (f"{VIEWS['activity']}?month=2020-01", 1380),
    "empty-month-phone": (f"{VIEWS['cost']}?month=2020-01", 390),
    "ignored": (f"{VIEWS['activity']}?month=2026-13&model=nobody", 1380),
}


def main(arguments: list[str]) -> None:
    TARGET.mkdir(exist_ok=True)
    with _demo(arguments) as address, sync_playwright() as playwright:
        path = next(path for path in CHROMIUMS if Path(path).exists())
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        _pictures(browser, address)
        browser.close()
    print(f"{len(list(TARGET.iterdir()))} pictures in {TARGET}")


@contextmanager
def _demo(arguments: list[str]) -> Iterator[str]:
    """The address of the demo: the one that was given, or one of our own."""
    if arguments:
        yield arguments[0].rstrip("/")
        return
    with tempfile.TemporaryDirectory(prefix="usage-dashboard-screenshots-") as directory, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = os.environ | {"DATA_DIR": directory, "PORT": str(port)}
        process = subprocess.Popen([sys.executable, "manage.py", "demo"], cwd=ROOT, env=environment)
        try:
            yield _when_ready(f"http://localhost:{port}", process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def _when_ready(address: str, process: "subprocess.Popen[bytes]") -> str:
    """Waits until the demo answers, filled."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=2)  # noqa: S310 - our own server
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return address
    raise SystemExit("The demo did not start.")


def _pictures(browser: Browser, address: str) -> None:
    signed_in = _sign_in(browser, address, OWNER)
    for scheme in ("light", "dark"):
        context = browser.new_context(storage_state=signed_in, color_scheme=scheme)
        page = context.new_page()
        for view, path in VIEWS.items():
            for size, width in WIDTHS.items():
                _take(page, address + path, width, f"{view}-{size}-{scheme}")
        if scheme == "light":
            for name, (path, width) in MORE.items():
                _take(page, address + path, width, name)
            _day_and_print(page, address)
        context.close()


def _day_and_print(page: Page, address: str) -> None:
    page.goto(address + VIEWS["activity"])
    days = page.locator("#chart-requests .numbers-table tbody a")
    day = days.nth(max(0, days.count() - 3)).get_attribute("href")
    _take(page, f"{address}{day}", 1380, "day-by-hour")
    page.goto(address + VIEWS["cost"])
    _wait(page)
    page.pdf(path=TARGET / "month-report.pdf", format="A4", print_background=True)


def _sign_in(browser: Browser, address: str, email: str) -> Any:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/usage/**")
    state = context.storage_state()
    context.close()
    return state


def _take(page: Page, address: str, width: int, name: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    _wait(page)
    page.screenshot(path=TARGET / f"{name}.png", full_page=True)


def _wait(page: Page) -> None:
    """Until every chart is drawn."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('.chart-drawing')].every((box) => box.querySelector('.bars .point'))"
    )
    page.wait_for_timeout(150)


if __name__ == "__main__":
    main(sys.argv[1:])
