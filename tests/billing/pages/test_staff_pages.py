"""The operator's pages: prices with their preview, credit, everybody's invoices. They exist for staff alone."""

import html
import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import Settings

from accounts.models import AuditEvent, User
from billing.models import CreditGrant, DailyCost, Invoice, LineItem, Price, PriceChange
from billing.prices.rerating import re_rate_waiting
from metering.models import Model
from tests.money import OCTOBER, at, close, set_price, use
from tests.world import World

SignIn = Callable[[User], Client]
PRICES = "/settings/prices/"
CHANGE = f"{PRICES}change/"
STAFF_PAGES = (PRICES, CHANGE, "/settings/credit/", "/settings/invoices/")
WANTED = {
    "model": "m",
    "line_item": "1",
    "context_band": "0",
    "effective_date": "2026-11-01",
    "amount": "20",
    "per": "1000",
}


@pytest.fixture
def staff(world: World, client_of: SignIn) -> Client:
    User.objects.filter(pk=world.charlie.pk).update(is_staff=True, is_superuser=True)
    set_price("m", "0.01")
    use(world.labs, "2026-10-05", "m", input_tokens=100)
    use(world.labs, "2026-11-05", "m", input_tokens=100, output_tokens=5)
    return client_of(world.charlie)


def test_the_pages_do_not_exist_for_others(world: World, client_of: SignIn) -> None:
    for address in STAFF_PAGES:
        assert client_of(world.alice).get(address).status_code == 404
        assert Client().get(address).status_code == 302
    for address in ("credit/1/voiding/", "invoices/1/payment/", "invoices/1/voiding/"):
        assert client_of(world.alice).post(f"/settings/{address}").status_code == 404


def test_each_page_wants_its_own_right(world: World, client_of: SignIn) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)

    def answers(*rights: str) -> list[int]:
        world.bob.user_permissions.set(Permission.objects.filter(codename__in=rights))
        client = client_of(User.objects.get(pk=world.bob.pk))
        return [
            *(client.get(address).status_code for address in STAFF_PAGES),
            client.post("/settings/credit/").status_code,
        ]

    assert answers() == [403] * 5
    assert answers("view_price") == [200, 403, 403, 403, 403]
    assert answers("view_price", "change_price") == [200, 200, 403, 403, 403]
    assert answers("view_creditgrant") == [403, 403, 200, 403, 403]
    assert answers("view_creditgrant", "add_creditgrant") == [403, 403, 200, 403, 200]
    assert answers("view_invoice") == [403, 403, 403, 200, 403]
    profile = client_of(User.objects.get(pk=world.bob.pk)).get("/settings/profile/").content.decode()
    assert 'href="/settings/invoices/"' in profile
    assert 'href="/settings/prices/"' not in profile


# page → (the rights that open it, the one that changes what is on it, what only that one draws)
DRAWN = {
    PRICES: ("view_price", "change_price", ("Set a price</a>", "Correct</a>", "Set price</a>")),
    "/settings/prices/unpriced/": ("view_price", "change_price", ("Set price</a>",)),
    "/settings/invoices/": ("view_invoice", "change_invoice", ("Mark paid…</summary>", "Void…</summary>")),
}


@pytest.mark.parametrize("address", DRAWN)
def test_who_may_only_look_is_shown_nothing_to_press(
    world: World, staff: Client, client_of: SignIn, address: str
) -> None:
    close(OCTOBER)
    view, change, buttons = DRAWN[address]
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)

    def drawn(*rights: str) -> set[str]:
        world.bob.user_permissions.set(Permission.objects.filter(codename__in=rights))
        page = client_of(User.objects.get(pk=world.bob.pk)).get(address).content.decode()
        return {button for button in buttons if f">{button}" in page}

    assert drawn(view, change) == set(buttons)
    assert drawn(view) == set()


def test_credit_is_offered_to_those_who_may_give_or_void_it(world: World, staff: Client, client_of: SignIn) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_staff=True)
    CreditGrant.objects.create(
        organization=world.acme, name="Gift", amount=5, category="paid", priority=1, effective_at=at("2026-11-01")
    )

    def drawn(*rights: str) -> tuple[bool, bool]:
        world.bob.user_permissions.set(Permission.objects.filter(codename__in=rights))
        page = client_of(User.objects.get(pk=world.bob.pk)).get("/settings/credit/").content.decode()
        return 'action="/settings/credit/"' in page, "/voiding/" in page

    assert drawn("view_creditgrant") == (False, False)
    assert drawn("view_creditgrant", "add_creditgrant") == (True, False)
    assert drawn("view_creditgrant", "change_creditgrant") == (False, True)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "20000000000000000000-01-01"])
def test_a_grant_keeps_to_the_calendar(staff: Client, day: str) -> None:
    fields = {"organization": "acme", "name": "Gift", "amount": "5", "category": "paid", "priority": "1"}
    for dates in ({"effective_date": "2026-11-01", "last_date": day}, {"effective_date": day}):
        answer = staff.post("/settings/credit/", {**fields, **dates})
        assert answer.status_code == 200
        assert answer.context["form"].errors
    assert not CreditGrant.objects.exists()


def test_the_book_is_searched_and_leads_to_the_correction_of_a_price(staff: Client) -> None:
    set_price("other-model", "0.000002")
    page = staff.get(PRICES, {"q": "OTHER"}).content.decode()
    assert "$2.00 per 1M tokens" in page
    assert "effective_date=2026-01-01&amp;amount=2" in page
    assert "$10,000.00 per 1M tokens" not in page


def test_usage_of_a_model_that_several_sell_differently_offers_their_prices(staff: Client, world: World) -> None:
    use(world.labs, "2026-11-06", "openai/gpt-oss-120b", input_tokens=1)
    page = staff.get(PRICES).content.decode()
    offers = re.findall(r'([a-z_, -]+): <a class="accent" href="([^"]+)">(\$[^<]+ per 1M tokens)</a>', page)
    assert len(offers) == 5
    amounts = [Decimal(price.split()[0][1:]) for _, _, price in offers]
    assert amounts == sorted(amounts)
    form = staff.get(html.unescape(offers[0][1])).content.decode()
    assert f'value="{amounts[0].normalize():f}"' in form
    assert 'value="openai/gpt-oss-120b"' in form


def test_long_lists_of_usage_without_a_price_have_pages(staff: Client, world: World) -> None:
    for number in range(120):
        use(world.labs, "2026-11-06", f"new-{number:03}", input_tokens=1)
    page = " ".join(staff.get(PRICES).content.decode().split())
    assert page.count("Set price</a>") == 20
    assert f'<a class="accent" href="{PRICES}unpriced/">All 121 models and parts without a price</a>' in page
    first, second = (staff.get(f"{PRICES}unpriced/", {"page": number}).content.decode() for number in (1, 2))
    assert (first.count("Set price</a>"), second.count("Set price</a>")) == (100, 21)
    assert "new-099" in first
    assert "new-100" in second
    assert "Page 2 of 2" in second


def test_usage_without_a_price_is_one_click_from_its_price(staff: Client) -> None:
    page = staff.get(PRICES).content.decode()
    assert f"{CHANGE}?model=m&amp;line_item={LineItem.OUTPUT}&amp;effective_date=2026-11-05" in page
    form = staff.get(f"{CHANGE}?model=m&line_item=5&effective_date=2026-11-05").content.decode()
    assert 'value="2026-11-05"' in form
    assert '<option value="5" selected>output</option>' in form


def test_a_price_is_previewed_then_confirmed_then_rated(world: World, staff: Client) -> None:
    preview = staff.post(CHANGE, WANTED).content.decode()
    assert "Usage of 1 day costs $2.00 instead of" in preview
    assert "Acme Labs" in preview
    assert not PriceChange.objects.exists()
    answer = staff.post(CHANGE, WANTED | {"confirm": "yes"})
    change = PriceChange.objects.get()
    assert answer["Location"] == f"{PRICES}changes/{change.pk}/"
    assert "0 of 1 day" in staff.get(answer["Location"]).content.decode()
    re_rate_waiting()
    done = staff.get(answer["Location"]).content.decode()
    assert "1 of 1 day" in done
    assert "$2.00" in done
    assert DailyCost.objects.get(day="2026-11-05", line_item=LineItem.INPUT).amount == 2
    assert Price.objects.get(effective_date="2026-11-01").created_by == world.charlie
    assert AuditEvent.objects.get(event="price.changed").actor == world.charlie


def test_a_price_that_reaches_final_invoices_is_refused_with_the_way_out(staff: Client) -> None:
    close(OCTOBER)
    for sent in (WANTED, WANTED | {"confirm": "yes"}):
        page = staff.post(CHANGE, sent | {"effective_date": "2026-10-01"}).content.decode()
        assert "Let the price begin on 2026-11-01 or later" in page
    assert Price.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [{"amount": "-1"}, {"amount": "0.0000000000001"}, {"amount": "NaN"}, {"effective_date": "1999-01-01"},
     {"effective_date": "9999-01-01"}, {"model": ""}, {"organization": "nobody"}, {"line_item": "99"}],
)  # fmt: skip
def test_a_bad_price_is_refused_with_a_sentence(staff: Client, wrong: dict[str, str]) -> None:
    page = staff.post(CHANGE, WANTED | wrong | {"confirm": "yes"}).content.decode()
    assert "field-error" in page
    assert not PriceChange.objects.exists()


def test_a_model_that_is_new_is_stored_with_its_price_and_not_by_a_preview(staff: Client) -> None:
    staff.post(CHANGE, WANTED | {"model": "own-model"})
    assert not Model.objects.filter(name="own-model").exists()
    staff.post(CHANGE, WANTED | {"model": "own-model", "confirm": "yes", "typed": "20,000"})
    assert Price.objects.get(model__name="own-model").unit_price == Decimal("0.02")


def test_credit_is_given_and_voided(world: World, staff: Client) -> None:
    sent = {"organization": "acme", "name": "Sorry", "amount": "5", "category": "paid", "priority": "9",
            "effective_date": "2026-11-01", "last_date": "2026-11-30"}  # fmt: skip
    assert staff.post("/settings/credit/", sent).status_code == 302
    grant = CreditGrant.objects.get()
    assert (grant.organization, grant.priority) == (world.acme, 9)
    assert f"{grant.expires_at:%Y-%m-%d %H:%M}" == "2026-12-01 00:00"
    staff.post(f"/settings/credit/{grant.pk}/voiding/")
    grant.refresh_from_db()
    assert grant.voided_at is not None
    events = AuditEvent.objects.filter(organization=world.acme).order_by("pk").values_list("event", flat=True)
    assert list(events) == ["credit_grant.created", "credit_grant.voided"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"organization": "acme-labs"}, "Grant the credit to that one."),
        ({"last_date": "2026-10-01"}, "must expire after it starts"),
        ({"effective_date": "2026-10-01"}, "Invoice INV-2026-0001 is final."),
        ({"amount": "0"}, "greater than or equal to 0.01"),
        ({"organization": "nobody"}, "There is no organization with this slug."),
    ],
)
def test_bad_credit_is_refused_with_a_sentence(staff: Client, wrong: dict[str, str], sentence: str) -> None:
    close(OCTOBER)
    sent = {"organization": "acme", "name": "Sorry", "amount": "5", "category": "paid", "priority": "9",
            "effective_date": "2026-11-01"}  # fmt: skip
    assert sentence in staff.post("/settings/credit/", sent | wrong).content.decode()
    assert not CreditGrant.objects.exists()


def test_what_cannot_be_undone_is_said_before_it_is_done(staff: Client) -> None:
    close(OCTOBER)
    page = staff.get("/settings/invoices/").content.decode()
    for action, consequence in (("Mark paid…", "It stays paid"), ("Void…", "A credit note reverses it permanently")):
        opened = page.partition(f"{action}</summary>")[2].partition("</details>")[0]
        assert opened.index('method="post"') < opened.index(consequence) < opened.index('type="submit"')


def test_invoices_are_marked_paid_and_voided(staff: Client) -> None:
    [invoice] = close(OCTOBER)
    assert "INV-2026-0001" in staff.get("/settings/invoices/").content.decode()
    assert staff.get(f"/settings/invoices/{invoice.pk}/pdf/").content.startswith(b"%PDF-")
    staff.post(f"/settings/invoices/{invoice.pk}/payment/")
    invoice.refresh_from_db()
    assert invoice.state == "paid"
    staff.post(f"/settings/invoices/{invoice.pk}/voiding/")
    assert set(Invoice.objects.values_list("number", "state")) == {("INV-2026-0001", "void"), ("CN-2026-0001", "open")}
    page = staff.post(f"/settings/invoices/{invoice.pk}/payment/", follow=True).content.decode()
    assert "Invoice INV-2026-0001 is void and cannot be paid." in page


def test_accounting_marks_an_invoice_paid_by_api(staff: Client, settings: Settings) -> None:
    close(OCTOBER)
    address = "/v1/invoices/INV-2026-0001/payment"
    assert Client().post(address).status_code == 404
    settings.OPERATOR_TOKEN = "a long random token"
    assert Client().post(address).status_code == 401
    assert Client().post(address, headers={"Authorization": "Bearer wrong"}).status_code == 401
    headers = {"Authorization": "Bearer a long random token"}
    assert Client().post("/v1/invoices/INV-2026-0009/payment", headers=headers).status_code == 404
    for _ in range(2):
        answer = Client().post(address, headers=headers)
        assert (answer.status_code, answer.json()["state"]) == (200, "paid")
    assert AuditEvent.objects.get(event="invoice.paid").actor_name == "operator token"


def test_long_lists_have_pages(world: World, staff: Client) -> None:
    terms = {"amount": 1, "category": "paid", "effective_at": at("2026-11-01")}
    CreditGrant.objects.bulk_create(
        CreditGrant(organization=world.acme, name=f"Grant {number:03}", **terms) for number in range(201)
    )
    first = staff.get("/settings/credit/").content.decode()
    assert ("Grant 200" in first, "Grant 101" in first, "Grant 100" in first) == (True, True, False)
    assert ("Page 1 of 3" in first, 'href="?page=2"' in first, "Previous" in first) == (True, True, False)
    last = staff.get("/settings/credit/?page=3").content.decode()
    assert ("Grant 000" in last, "Grant 001" in last, 'href="?page=2"' in last, "Next" in last) == (
        True,
        False,
        True,
        False,
    )
    for nowhere in ("99", "-1", "x", ""):
        assert staff.get("/settings/credit/", {"page": nowhere}).status_code == 200


def test_the_pages_of_the_book_keep_the_search(staff: Client) -> None:
    for number in range(101):
        set_price("paged-model", "0.01", start=f"2026-{1 + number // 28:02}-{1 + number % 28:02}")
    page = staff.get(PRICES, {"q": "paged"}).content.decode()
    assert 'href="?q=paged&amp;page=2"' in page
    assert page.count('<th scope="row">paged-model</th>') == 100
    assert staff.get(PRICES, {"q": "paged", "page": "2"}).content.decode().count(">paged-model</th>") == 1
