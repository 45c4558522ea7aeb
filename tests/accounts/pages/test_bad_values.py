"""Values that nobody means, in every parameter and every part of every address: answered, and never with an error of ours."""

import re
from collections.abc import Callable, Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import get_resolver

from accounts.models import User
from apikeys.keys import keys
from tests.accounts.test_access_walk import patterns_of
from tests.accounts.walked import make_staff
from tests.parameters import QUERY_PARAMETERS
from tests.world import LONG_AGO, World

SignIn = Callable[[User], Client]
pytestmark = pytest.mark.filterwarnings("ignore:.*received a naive datetime")
# As they stand in an address, so that what is no text in UTF-8 can be asked as well.
NASTY = (
    "%00",
    "a%00b",
    "100000000000000000000",
    "1e400",
    "NaN",
    "fe80::1%25eth0",
    "%ED%A0%80",
    "x" * 5_000,
    "%F0%9F%92%A5",
    "%E2%80%AE%D7%A9%D7%9C%D7%95%D7%9D",
    "../../../../etc/passwd",
    "0000-13",
    "9999-12-31",
    "99999999999999999999-01-01",
    "%D9%A2%D9%A0%D9%A2%D9%A6-%D9%A1%D9%A1",
    "'%22%3B--",
    "%25%5C_",
    "%0D%0ASet-Cookie:%20a=b",
)
# Some for what is tried one by one: each stands for a kind.
BAD_ALONE = ("%00", "100000000000000000000", "fe80::1%25eth0", "0000-13", "9999-12-31", "%ED%A0%80")
BAD_LOOKUPS = ("%00", "100000000000000000000", "99999999999999999999-01-01", "9999-12-31", "%ED%A0%80")


def is_answered(client: Client, address: str) -> bool:
    """Whether the address is answered, to its last byte, without an error of ours."""
    response = client.get(address)
    if response.streaming:
        b"".join(response)
    return response.status_code < 500


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    return client_of(make_staff(world.acme))


@pytest.mark.parametrize("pattern", QUERY_PARAMETERS)
def test_no_value_of_a_parameter_breaks_a_page(world: World, client_of: SignIn, staff: Client, pattern: str) -> None:
    api_key, _ = keys.create_api_key(user=world.alice, name="Laptop", created_at=LONG_AGO)
    address = "/" + pattern.replace("<slug:slug>", "acme").replace("<slug:public_id>", api_key.public_id)
    address = re.sub("<int:[a-z_]+>", "1", address)
    client = client_of(world.alice) if "organization" in pattern or "profile" in pattern or "keys" in pattern else staff
    for value in NASTY:
        together = "&".join(f"{name}={value}" for name in QUERY_PARAMETERS[pattern])
        assert is_answered(client, f"{address}?{together}"), value[:100]
    for query in (f"{name}={value}" for name in alone(pattern) for value in BAD_ALONE):
        assert is_answered(client, f"{address}?{query}"), query


def alone(pattern: str) -> list[str]:
    """The parameters that are tried one by one; one page of those that read the same form stands for all of them."""
    is_twin = "usage/" in pattern and not pattern.endswith(("usage/why/", "usage/activity/", "cost/export.csv"))
    return [] if is_twin else list(QUERY_PARAMETERS[pattern])


def test_no_part_of_an_address_breaks_a_page(world: World, client_of: SignIn, staff: Client) -> None:
    clients = (client_of(world.alice), staff)
    for pattern in patterns_of(get_resolver()):
        placeholders = re.findall("<[^>]+>", pattern)
        if not placeholders or "(?P" in pattern or pattern.startswith("admin/"):
            continue
        for value in NASTY:
            address = "/" + pattern.replace("<slug:slug>", "acme")
            for placeholder in placeholders:
                address = address.replace(placeholder, value)
            for client in clients:
                assert is_answered(client, address), address[:200]


@pytest.mark.parametrize("value", NASTY)
def test_no_address_breaks_the_pages_of_packages(world: World, staff: Client, value: str) -> None:
    for address in (
        f"/accounts/password/reset/key/{value}-{value}/",
        f"/accounts/confirm-email/{value}/",
        f"/accounts/login/?next={value}",
        f"/accounts/signup/?next={value}&email={value}",
        f"/accounts/login/?{value}",
        f"/admin/autocomplete/?term={value}&app_label={value}&model_name={value}&field_name={value}",
        f"/admin/r/{value}/{value}/",
        f"/{value}",
        f"/usage?{value}={value}",
    ):
        assert is_answered(staff, address), address[:200]
        assert is_answered(Client(), address), address[:200]


def lookups_of(model_admin: admin.ModelAdmin) -> Iterator[str]:  # type: ignore[type-arg]
    """Every parameter that a list of the admin site takes."""
    yield from ("q", "p", "o", "all", "e", "_popup", "_to_field", "_facets")
    names = [item[0] if isinstance(item, tuple) else item for item in model_admin.list_filter]
    for name in (*map(str, names), *([model_admin.date_hierarchy] if model_admin.date_hierarchy else [])):
        for lookup in ("exact", "isnull", "isempty", "gte", "lt", "year", "month", "day"):
            yield f"{name}__{lookup}"
    yield from getattr(model_admin, "linked_from", ())


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_no_value_breaks_a_list_of_staff(world: World, staff: Client, model: type) -> None:
    model_admin = admin.site._registry[model]
    opts = model_admin.opts
    address = f"/admin/{opts.app_label}/{opts.model_name}/"
    for name in lookups_of(model_admin):
        for value in BAD_LOOKUPS:
            assert is_answered(staff, f"{address}?{name}={value}"), (name, value)
    for value in NASTY:
        assert is_answered(staff, f"{address}{value}/change/"), value[:100]


@pytest.mark.parametrize("address", ["/settings/credit/", "/settings/prices/change/"])
def test_no_field_breaks_a_form_of_staff(world: World, staff: Client, address: str) -> None:
    fields = {
        "organization": "acme",
        "name": "Gift",
        "amount": "5",
        "category": "paid",
        "priority": "1",
        "effective_date": "2026-11-01",
        "last_date": "2026-12-01",
        "model": "m",
        "line_item": "1",
        "context_band": "0",
        "per": "1000",
    }
    for value in (
        "\x00",
        "a\x00b",
        "9" * 30,
        "1e400",
        "NaN",
        "9999-12-31",
        "0001-01-01",
        "x" * 5_000,
        "💥",
        "fe80::1%eth0",
    ):
        for name in fields:
            for confirmed in ({}, {"confirm": "1"}):
                assert staff.post(address, {**fields, name: value, **confirmed}).status_code < 500, (name, value[:50])
