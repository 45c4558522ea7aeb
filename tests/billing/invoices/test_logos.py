"""The logo on documents: the PDF and the page show the installation's, and a document keeps the one that it was issued with."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image as Pictures
from pytest_django import Settings

from accounts.installation.brand import Brand, Image
from accounts.installation.paper_logo import on_paper
from accounts.models import User
from billing.document_parts import DocumentLogo
from billing.invoices import invoices
from billing.invoices.documents import document_of
from billing.invoices.pdf import invoice_pdf
from billing.models import Invoice
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, close, set_price, use
from tests.world import World

IMAGE_OBJECT = b"/Subtype /Image"


def logo_of(color: tuple[int, int, int]) -> Image:
    file = BytesIO()
    Pictures.new("RGB", (300, 60), color).save(file, "PNG")
    return on_paper(Image(file.getvalue(), "image/png"))


GREEN, VIOLET = logo_of((11, 107, 93)), logo_of((124, 58, 237))


def show(settings: Settings, logo: Image | None) -> None:
    settings.BRAND = Brand("Northwind AI", paper_logo=logo)


def bill(world: World, day: str, *, days_after: int = 3) -> Invoice:
    use(world.acme, day, "a-model", input_tokens=100)
    [found] = close(OCTOBER if day < "2026-11" else NOVEMBER, days_after=days_after)
    return found


@pytest.fixture(autouse=True)
def price(world: World) -> None:
    set_price("a-model", "0.02")


def stored(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def pdf_of(invoice: Invoice) -> bytes:
    return invoice_pdf(document_of(stored(invoice)))


def test_a_pdf_has_the_logo_once(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    invoice = bill(world, "2026-10-02")
    assert pdf_of(invoice).count(IMAGE_OBJECT) == 1
    assert pdf_of(invoice) == pdf_of(invoice)


def test_an_issued_document_stays_what_it_was(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    first = bill(world, "2026-10-02")
    before = pdf_of(first)
    for later in (VIOLET, None):
        show(settings, later)
        assert pdf_of(first) == before
    show(settings, VIOLET)
    second = bill(world, "2026-11-02")
    assert first.seller["logo"] != second.seller["logo"]
    assert bytes(DocumentLogo.objects.get(pk=second.seller["logo"]).body) == VIOLET.body


def test_a_draft_has_the_logo_of_now_and_keeps_it_when_it_is_final(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    draft = bill(world, "2026-10-02", days_after=1)
    show(settings, VIOLET)
    [final] = close(OCTOBER)
    assert draft.pk == final.pk
    assert bytes(DocumentLogo.objects.get(pk=final.seller["logo"]).body) == VIOLET.body


def test_a_credit_note_has_the_logo_of_its_invoice(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    invoice = bill(world, "2026-10-02")
    show(settings, VIOLET)
    note = invoices.void(invoice, actor=ACTOR, now=at("2026-12-01"))
    assert note.seller["logo"] == invoice.seller["logo"]


def test_documents_without_a_logo_have_none_later(world: World, settings: Settings) -> None:
    """Those of before there were logos do not even say that they have none."""
    show(settings, None)
    draft = bill(world, "2026-10-02", days_after=1)
    del draft.seller["logo"]
    draft.save(update_fields=["seller"])
    show(settings, GREEN)
    assert IMAGE_OBJECT not in pdf_of(draft)
    assert document_of(stored(draft)).logo is None


def test_the_page_shows_the_logo_of_the_document(
    world: World, settings: Settings, client_of: Callable[[User], Client]
) -> None:
    show(settings, GREEN)
    invoice = bill(world, "2026-10-02")
    show(settings, VIOLET)
    client = client_of(world.alice)
    page = client.get(f"/settings/organization/acme/billing/invoices/{invoice.pk}/").content.decode()
    address = f"/branding/documents/{invoice.seller['logo']}"
    assert f'src="{address}"' in page
    answer = client.get(address)
    assert (answer.content, answer["Content-Type"]) == (GREEN.body, "image/png")
    assert "immutable" in answer["Cache-Control"]
    assert client.get("/branding/documents/" + "0" * 64).status_code == 404


def test_equal_logos_are_kept_once(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    bill(world, "2026-10-02")
    bill(world, "2026-11-02")
    assert DocumentLogo.objects.count() == 1


def test_the_database_lets_no_logo_of_a_document_be_changed_or_go(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    bill(world, "2026-10-02")
    rows = DocumentLogo.objects.all()
    for change in (rows.delete, lambda: rows.update(body=VIOLET.body), lambda: rows.update(digest="0" * 64)):
        with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
            change()
    with pytest.raises(DatabaseError, match="document_logo_digest"), transaction.atomic():
        DocumentLogo.objects.create(digest="0" * 64, body=VIOLET.body)


def test_a_logo_that_no_document_names_may_go_but_not_change(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    bill(world, "2026-10-02", days_after=1)
    show(settings, VIOLET)
    bill(world, "2026-10-03")
    unused = DocumentLogo.objects.exclude(body=VIOLET.body)
    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        unused.update(body=b"another")
    assert unused.delete()[0] == 1
    assert [bytes(logo.body) for logo in DocumentLogo.objects.all()] == [VIOLET.body]


def test_asking_who_issues_invoices_writes_nothing(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    with CaptureQueriesContext(connection) as queries:
        assert invoices.seller().logo == sha256(GREEN.body).hexdigest()
    assert len(queries) == 0


@pytest.mark.django_db(transaction=True)
def test_a_logo_waits_for_documents_that_are_being_written(world: World, settings: Settings) -> None:
    show(settings, GREEN)
    bill(world, "2026-10-02", days_after=1)
    Invoice.objects.update(seller={})
    unused = DocumentLogo.objects.filter(body=GREEN.body)

    def delete() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '200ms'")
            unused.delete()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            bill(world, "2026-10-03", days_after=1)
            with pytest.raises(OperationalError, match="lock timeout"):
                pool.submit(delete).result()
        with pytest.raises(DatabaseError, match="cannot be changed"):
            pool.submit(delete).result()
        pool.submit(connections.close_all).result()
