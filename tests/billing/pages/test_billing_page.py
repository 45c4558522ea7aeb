"""The Billing page, its forms, and invoices as page and PDF: who sees what."""

import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import AuditEvent, User
from billing.alerts import News, WebhookEndpoint
from billing.invoices import closing, grants, invoices
from billing.invoices.grants import GrantTerms
from billing.models import BillingDetails, Invoice
from tests.money import ACTOR, OCTOBER, at, close, set_price, use
from tests.world import World, join

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/billing/"
OWNERS_ONLY = (
    "details/",
    "budgets/new/",
    "budgets/1/",
    "budgets/1/removal/",
    "webhooks/",
    "webhooks/1/removal/",
    "webhooks/1/activation/",
)


def hook(url: str) -> dict[str, str | list[str]]:
    """The form of a webhook that is told of everything."""
    return {"url": url, "format": "standard", "event_types": News.values}


@pytest.fixture
def invoice(world: World) -> Invoice:
    """October of Acme and Acme Labs, with a little credit."""
    set_price("gpt-x", "0.01")
    terms = GrantTerms(name="Welcome", amount=Decimal("0.25"), category="promotional", effective_at=at("2026-10-01"))
    grants.give(world.acme, terms, actor=ACTOR)
    BillingDetails.objects.create(
        organization=world.acme, legal_name="Łódź & <Sons>", address="1 Road\nTown", tax_name="VAT", tax_rate="0.19"
    )
    use(world.acme, "2026-10-02", "gpt-x", input_tokens=100)
    use(world.labs, "2026-10-03", "gpt-x", input_tokens=50)
    [found] = close(OCTOBER)
    return found


def page_of(client: Client, address: str = PAGE) -> str:
    return client.get(address).content.decode()


def test_an_owner_sees_invoices_credit_budget_and_details(world: World, client_of: SignIn, invoice: Invoice) -> None:
    page = page_of(client_of(world.alice))
    for text in ("INV-2026-0001", "October 2026", "$1.49", "Welcome", "Łódź &amp; &lt;Sons&gt;", "Monthly budget"):
        assert text in page


def test_an_admin_sees_the_credit_alone(world: World, client_of: SignIn, invoice: Invoice) -> None:
    page = page_of(client_of(world.bob))
    assert "Welcome" in page
    for text in ("INV-2026-0001", "Monthly budget", "Legal name", "Webhooks"):
        assert text not in page


def test_a_reader_is_told_who_sees_billing_and_an_outsider_nothing(world: World, client_of: SignIn) -> None:
    refused = client_of(world.rita).get(PAGE)
    assert refused.status_code == 403
    assert "Only owners and admins can see the organization&#x27;s billing." in refused.content.decode()
    assert client_of(world.charlie).get(PAGE).status_code == 404
    assert Client().get(PAGE).status_code == 302


def test_only_owners_change_billing_and_see_invoices(world: World, client_of: SignIn, invoice: Invoice) -> None:
    for address in OWNERS_ONLY:
        for user, status in ((world.bob, 403), (world.rita, 403), (world.charlie, 404)):
            assert client_of(user).post(PAGE + address).status_code == status
    for address in (f"invoices/{invoice.pk}/", f"invoices/{invoice.pk}/pdf/"):
        for user, status in ((world.alice, 200), (world.bob, 403), (world.rita, 403), (world.charlie, 404)):
            assert client_of(user).get(PAGE + address).status_code == status


def test_an_invoice_is_found_at_its_own_payer_only(world: World, client_of: SignIn, invoice: Invoice) -> None:
    join(world.alice, world.labs, role="owner")
    for slug in ("acme-labs", "other"):
        address = f"/settings/organization/{slug}/billing/invoices/{invoice.pk}/"
        assert client_of(world.alice).get(address).status_code == 404


def test_a_child_is_told_who_pays(world: World, client_of: SignIn, invoice: Invoice) -> None:
    join(world.alice, world.labs, role="owner")
    page = page_of(client_of(world.alice), "/settings/organization/acme-labs/billing/")
    assert "<bdi>Acme</bdi> pays for usage of Acme Labs" in " ".join(page.split())
    assert "INV-2026-0001" not in page


def test_the_invoice_page_has_all_that_is_on_the_paper(world: World, client_of: SignIn, invoice: Invoice) -> None:
    page = page_of(client_of(world.alice), f"{PAGE}invoices/{invoice.pk}/")
    for text in ("1 Road<br>Town", "gpt-x, input", "100 tokens", "Acme Labs", "−$0.25", "VAT 19%", "$0.24", "$1.49"):
        assert text in page
    assert "Nov 4, 2026" in page
    assert "Dec 4, 2026" in page


def test_the_pdf_is_one_and_the_same_each_time(
    world: World, client_of: SignIn, invoice: Invoice, settings: Settings
) -> None:
    client = client_of(world.alice)
    first, second = (client.get(f"{PAGE}invoices/{invoice.pk}/pdf/") for _ in range(2))
    assert first.content.startswith(b"%PDF-")
    assert first.content == second.content
    assert first["Content-Disposition"] == 'attachment; filename="INV-2026-0001.pdf"'


def letters_of(pdf: bytes) -> set[str]:
    """The letters that the embedded fonts of a PDF draw, as they say themselves."""
    letters: set[str] = set()
    for found in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with suppress(zlib.error):
            text = zlib.decompressobj().decompress(found[1])
            for code in re.findall(rb"<[0-9A-F]+> <([0-9A-F]{4})>", text):
                letters.add(chr(int(code, 16)))
    return letters


def test_the_pdf_has_names_in_chinese_japanese_and_korean_and_marks_what_it_cannot_draw(
    world: World, client_of: SignIn, invoice: Invoice, settings: Settings
) -> None:
    settings.INVOICE_SELLER_ADDRESS = "株式会社\n& <b>"
    names = "龍马한글カナ株"
    BillingDetails.objects.filter(pk=world.acme.pk).update(legal_name=f"{names} ไทย Ünï")
    invoices.void(invoice, actor=ACTOR, now=at("2026-11-10"))
    again = closing.close_payer(world.acme, OCTOBER, now=at("2026-11-11"))
    assert again is not None
    client = client_of(world.alice)
    letters = letters_of(client.get(f"{PAGE}invoices/{again.pk}/pdf/").content)
    assert set(names) | set("株式会社&<Ünï\N{REPLACEMENT CHARACTER}") <= letters
    assert f"{names} ไทย Ünï" in page_of(client, f"{PAGE}invoices/{again.pk}/")


def test_a_credit_note_names_the_invoice_that_it_corrects(world: World, client_of: SignIn, invoice: Invoice) -> None:
    note = invoices.void(invoice, actor=ACTOR, now=at("2026-11-10"))
    page = page_of(client_of(world.alice), f"{PAGE}invoices/{note.pk}/")
    assert "Credit note CN-2026-0001" in page
    assert "Corrects invoice" in page
    assert "−$1.49" in page
    assert client_of(world.alice).get(f"{PAGE}invoices/{note.pk}/pdf/").status_code == 200


def test_details_are_saved_with_an_audit_entry(world: World, client_of: SignIn) -> None:
    sent = {"legal_name": "Acme GmbH", "address": "1 Road", "tax_id": "DE1", "tax_rate": "0", "due_days": "365"}
    assert client_of(world.alice).post(f"{PAGE}details/", sent).status_code == 302
    details = BillingDetails.objects.get()
    assert (details.legal_name, details.tax_rate, details.due_days) == ("Acme GmbH", None, None)
    assert AuditEvent.objects.get(event="billing_details.changed").actor == world.alice


def test_details_without_an_address_are_refused(world: World, client_of: SignIn) -> None:
    page = client_of(world.alice).post(f"{PAGE}details/", {"legal_name": "Acme GmbH"}).content.decode()
    assert "field-error" in page
    assert not BillingDetails.objects.exists()


def test_a_webhook_is_added_with_a_secret_shown_once_and_removed(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    client = client_of(world.alice)
    added = client.post(f"{PAGE}webhooks/", hook("http://127.0.0.1/hook"))
    endpoint = WebhookEndpoint.objects.get()
    assert added["Location"] == f"{PAGE}webhooks/{endpoint.pk}/secret/"
    assert endpoint.secret in client.get(added["Location"]).content.decode()
    again = client.get(added["Location"]).content.decode()
    assert "has been shown already" in again
    assert endpoint.secret not in again
    assert endpoint.secret not in page_of(client)
    assert "already registered" in client.post(f"{PAGE}webhooks/", hook("http://127.0.0.1/hook")).content.decode()
    client.post(f"{PAGE}webhooks/{endpoint.pk}/removal/")
    assert "127.0.0.1" not in page_of(client).split("</form>")[-1]
    assert client.post(f"{PAGE}webhooks/{endpoint.pk}/removal/").status_code == 404


def test_a_webhook_is_stored_encoded_and_its_secret_encrypted(
    world: World, client_of: SignIn, settings: Settings
) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    page = (
        client_of(world.alice).post(f"{PAGE}webhooks/", hook("http://127.0.0.1/für?q=ü"), follow=True).content.decode()
    )
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.url == "http://127.0.0.1/f%C3%BCr?q=%C3%BC"
    assert endpoint.secret in page
    assert "whsec" not in endpoint.encrypted_secret


def test_a_webhook_that_was_switched_off_says_so_and_is_switched_on_again(world: World, client_of: SignIn) -> None:
    endpoint = WebhookEndpoint.objects.create(
        organization=world.acme,
        url="https://hooks.example.com/",
        failing_since=at("2026-11-01"),
        switched_off_at=at("2026-11-04"),
        num_failures=10,
        last_error="The endpoint answered 503.",
    )
    client = client_of(world.alice)
    page = " ".join(page_of(client).split())
    assert "<strong>Switched off</strong> on Nov 4, 2026, 00:00 UTC: no delivery succeeded since Nov 1, 2026" in page
    assert "The endpoint answered 503." in page
    client.post(f"{PAGE}webhooks/{endpoint.pk}/activation/")
    endpoint.refresh_from_db()
    assert (endpoint.switched_off_at, endpoint.failing_since, endpoint.num_failures) == (None, None, 0)
    assert "Active" in page_of(client)
    assert AuditEvent.objects.filter(event="webhook.switched_on", organization=world.acme).count() == 1


def test_the_number_of_webhooks_is_limited(world: World, client_of: SignIn, settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES, settings.WEBHOOK_MAX_ENDPOINTS = True, 2
    client = client_of(world.alice)
    answers = [client.post(f"{PAGE}webhooks/", hook(f"http://127.0.0.1/{n}")) for n in range(3)]
    assert "at most 2 webhooks" in answers[-1].content.decode()
    assert WebhookEndpoint.objects.count() == 2


def test_a_webhook_into_the_operators_network_is_refused(world: World, client_of: SignIn) -> None:
    page = client_of(world.alice).post(f"{PAGE}webhooks/", hook("http://127.0.0.1/hook")).content.decode()
    assert "127.0.0.1 has no address on the public Internet." in page
    assert not WebhookEndpoint.objects.exists()


def test_the_page_asks_the_database_as_often_for_many_invoices_as_for_one(
    world: World, client_of: SignIn, invoice: Invoice, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(world.alice)
    page_of(client)
    for number in range(5):
        terms = GrantTerms(name=f"{number}", amount=Decimal(1), category="paid", effective_at=at("2026-11-01"))
        grants.give(world.acme, terms, actor=ACTOR)
    with django_assert_max_num_queries(14):
        page_of(client)
    with django_assert_max_num_queries(10):
        page_of(client, f"{PAGE}invoices/{invoice.pk}/")
