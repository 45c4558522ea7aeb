"""Export asks for a range, in a dialog or on a page of its own, and gives the same rows as CSV or JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, User
from billing.models import LineItem
from exports import activity, cost
from exports.columns import Column, Kind
from tests.usage.rollup_rows import add_cost, add_usage, make_key, sku_of
from tests.world import World

SignIn = Callable[[User], Client]
TAB = "/settings/organization/acme/usage"
DAY = date(2026, 3, 14)
PAGES = ("activity", "cost")


@pytest.fixture
def usage(world: World) -> World:
    """A day of usage with a name that a spreadsheet would run, a quote in another, and an untracked and unpriced row."""
    key, gpt = make_key(world.rita, '=1+1 "x"'), sku_of("gpt-4o")
    add_usage(world.acme, DAY, world.rita, key, gpt, num_model_requests=3, input_tokens=2**63 - 1, output_tokens=5)
    add_usage(world.acme, DAY.replace(day=15), world.bob, None, sku_of("mistral"), num_model_requests=2, input_tokens=7)
    add_cost((world.acme, DAY, gpt), LineItem.INPUT, 2**63 - 1, "0.000000000001")
    add_cost((world.acme, DAY.replace(day=15), sku_of("mistral")), LineItem.INPUT, 7, None)
    return world


def body(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES)
def test_json_has_the_rows_of_the_csv(usage: World, client_of: SignIn, page: str) -> None:
    client = client_of(usage.alice)
    table = list(csv.DictReader(io.StringIO(body(client, f"{TAB}/{page}/export.csv?month=2026-03"))))
    objects: list[dict[str, Any]] = json.loads(
        body(client, f"{TAB}/{page}/export.json?month=2026-03"), parse_float=Decimal
    )
    assert len(objects) == len(table) == 2
    for row, item in zip(table, objects, strict=True):
        assert list(item) == list(row)
        assert {name: _as_cell(value) for name, value in item.items()} == {
            name: cell.removeprefix("'") for name, cell in row.items()
        }


@pytest.mark.parametrize(("page", "columns"), [("activity", activity.COLUMNS), ("cost", cost.COLUMNS)])
def test_in_json_numbers_are_numbers_and_all_else_is_text(
    usage: World, client_of: SignIn, page: str, columns: Sequence[Column]
) -> None:
    kinds = {column.name: column.kind for column in columns}
    for item in json.loads(body(client_of(usage.alice), f"{TAB}/{page}/export.json?month=2026-03")):
        for name, value in item.items():
            types = {Kind.NUMBER: (int, float), Kind.WHOLE: (int,), Kind.OBJECT: (dict,)}.get(kinds[name], (str,))
            assert value is None or isinstance(value, types), name


def _as_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_json_of_nothing_is_an_empty_array(usage: World, client_of: SignIn) -> None:
    assert json.loads(body(client_of(usage.alice), f"{TAB}/activity/export.json?month=2026-01")) == []


def test_the_range_has_a_last_day(usage: World, client_of: SignIn) -> None:
    answer = client_of(usage.alice).get(f"{TAB}/activity/export.csv?start=2026-03-01&last=2026-03-14")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="activity-2026-03-01-2026-03-15.csv"'
    assert len(b"".join(answer.streaming_content).splitlines()) == 2  # type: ignore[attr-defined]


def test_the_file_tells_how_far_it_is_complete(usage: World, client_of: SignIn) -> None:
    answer = client_of(usage.alice).get(f"{TAB}/cost/export.csv?month=2026-03")
    assert answer.headers["X-Complete-Through"].endswith("Z")


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_a_dialog_with_its_days_and_filters(usage: World, client_of: SignIn, page: str) -> None:
    text = client_of(usage.alice).get(f"{TAB}/{page}/?month=2026-03&model=gpt-4o").content.decode()
    dialog = text.split("<dialog")[1].split("</dialog>")[0]
    assert 'value="2026-03-01"' in dialog
    assert 'value="2026-03-31"' in dialog
    assert '<input type="hidden" name="model" value="gpt-4o">' in dialog
    assert "Up to date as of" in dialog


@pytest.mark.parametrize("page", PAGES)
def test_the_form_is_also_a_page_of_its_own_for_owners(usage: World, client_of: SignIn, page: str) -> None:
    address = f"{TAB}/{page}/export/?month=2026-03&day=2026-03-14"
    text = client_of(usage.alice).get(address).content.decode()
    assert text.count('value="2026-03-14"') == 2
    assert client_of(usage.bob).get(address).status_code == 403
    assert client_of(usage.charlie).get(address).status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_more_than_sixty_days_are_refused_with_a_sentence(usage: World, client_of: SignIn, page: str) -> None:
    address = f"{TAB}/{page}/export.csv?start=2026-01-01&last=2026-03-14"
    client = client_of(usage.alice)
    sentence = "An export can have at most 60 days; 2026-01-01 through 2026-03-14 are 73."
    for_people = client.get(address, headers={"Accept": "text/html"})
    assert for_people.status_code == 400
    assert sentence in for_people.content.decode()
    assert 'value="2026-01-01"' in for_people.content.decode()
    assert 'value="2026-03-14"' in for_people.content.decode()
    for_programs = client.get(address)
    assert (for_programs.status_code, for_programs.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert sentence in for_programs.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_head_says_what_the_file_would_be_and_takes_none(usage: World, client_of: SignIn, page: str) -> None:
    client = client_of(usage.alice)
    for address in (f"{page}/export/", f"{page}/export.csv?month=2026-03", f"{page}/export.json?month=2026-03"):
        answer = client.head(f"{TAB}/{address}")
        assert (answer.status_code, b"".join(answer)) == (200, b""), address
    assert answer["Content-Disposition"] == f'attachment; filename="{page}-2026-03-01-2026-04-01.json"'
    assert not AuditEvent.objects.filter(event="usage.exported").exists()


def test_only_owners_get_the_json(usage: World, client_of: SignIn) -> None:
    address = f"{TAB}/activity/export.json?month=2026-03"
    assert client_of(usage.bob).get(address).status_code == 403
    assert client_of(usage.charlie).get(address).status_code == 404
