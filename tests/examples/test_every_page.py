"""What all pages of docs/ name is there: pages of the menu, commands with their options, variables, and what links lead to."""

import re
from pathlib import Path
from typing import Final

import pytest
from django.core.management import get_commands, load_command_class

from tests.examples.recipes import ROOT
from usage_dashboard.menu import MENU

PAGES: Final = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
OURS: Final = (
    "accounts",
    "apikeys",
    "benchmarks",
    "billing",
    "examples",
    "exports",
    "metering",
    "tests",
    "usage_dashboard",
)
MODULES: Final = [
    path.as_posix() for path in (*ROOT.glob("*.py"), *(p for name in OURS for p in (ROOT / name).rglob("*.py")))
]
GROUPS: Final = {"Organization": MENU.organization, "Operator": MENU.staff, "You": MENU.user}
EXPORTED: Final = {"USAGE_URL", "USAGE_TOKEN", "KEY_ID"}
"""By connect.md, for the commands of all pages."""
MADE_BY: Final = {"provisioning.md": {"CRM_TOKEN"}, "connect.md": {"SERVED_AT"}, "events.md": {"SERVED_AT"}}
"""Variables that a page has had set above."""
COMMAND: Final = re.compile(r"manage\.py (?P<name>[a-z_]+)(?P<rest>(?:[^`\n])*)")


@pytest.fixture(params=PAGES, ids=lambda path: path.name)
def page(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


def test_pages_of_the_menu_have_the_names_that_it_shows(page: Path) -> None:
    named = re.findall(r"\*\*(\w+) → ([^*]+)\*\*", page.read_text(encoding="utf-8"))
    assert [found for found in named if found[1] not in [entry.label for entry in GROUPS[found[0]]]] == []


def test_commands_are_there_and_take_the_options_that_are_named(page: Path) -> None:
    known = {**get_commands(), "help": "django.core"}
    for found in COMMAND.finditer(page.read_text(encoding="utf-8")):
        name = found["name"]
        assert name in known, f"There is no command {name}."
        if name == "help":
            continue
        app = known[name]
        command = load_command_class(app, name) if isinstance(app, str) else app
        takes = command.create_parser("manage.py", name)._option_string_actions
        assert [option for option in re.findall(r"(?<!\S)--[a-z-]+", found["rest"]) if option not in takes] == []


def test_commands_to_copy_use_variables_that_somebody_has_set(page: Path) -> None:
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        shell = re.sub(r"\$\(|\$\d|awk .*", "", block)
        own = set(re.findall(r"(?:^|\s)([A-Z_]+)=", shell)) | MADE_BY.get(page.name, set())
        assert set(re.findall(r"\$\{?([A-Z][A-Z_]+)", shell)) <= EXPORTED | own


def test_modules_that_are_named_are_there(page: Path) -> None:
    named = re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in MODULES)] == []


def test_links_lead_to_pages_and_headings_that_are_there(page: Path) -> None:
    for address, anchor in re.findall(r"\]\(([^)#\s:]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        target = (page.parent / address).resolve() if address else page
        assert target.exists(), address
        assert not anchor or anchor in anchors(target), f"{address}#{anchor}"


def anchors(path: Path) -> set[str]:
    """The names under which headings are reached, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.strip()).replace(" ", "-") for heading in plain}
