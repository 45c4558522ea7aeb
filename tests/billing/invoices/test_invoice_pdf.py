"""The PDF of an invoice: whatever a form or a setting takes as names and addresses, there is a document."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.invoices.documents import Document, Line, Section
from billing.invoices.invoices import Party
from billing.invoices.pdf import invoice_pdf

PARTY = Party(name="Acme Corporation", address="1 Main Street\nSpringfield", tax_id="US 12")
LINE = Line(model="gpt-5", line_item="input", quantity="12M tokens", amount="$15.00", late="")
DOCUMENT = Document(
    kind="Invoice",
    number="INV-2026-0001",
    state="Open",
    period="Nov 1, 2026 to Nov 30, 2026 (UTC)",
    issued="Dec 4, 2026",
    due="Jan 3, 2027",
    corrects="",
    seller=PARTY,
    buyer=PARTY,
    sections=(Section(organization="Acme", lines=(LINE,), subtotal="$15.00"),),
    subtotal="$15.00",
    credits=(("Welcome", "−$5.00"),),
    taxable="$10.00",
    tax_label="Tax 0%",
    tax="$0.00",
    total="$10.00",
    balance=None,
    to_pay="",
    settled="",
    payment_note="Pay by transfer.",
)
LONGEST_NAME = 128  # of a model; organizations and credit have shorter ones
LONG = {
    "an address of sixty lines": "\n".join("x" for _ in range(60)),
    "an address of a thousand lines": "\n".join(f"line {n}" for n in range(1000)),
    "one endless word": "w" * 20_000,
    "one endless line": "a few words " * 3_000,
    "a script that no font has": "ঠিকানা " * 300,
    "markup": "<b>&amp;</i><para>" * 50,
    "wide letters": "東京都" * 500,
}


def num_pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("whose", ["seller", "buyer"])
@pytest.mark.parametrize("field", ["name", "address", "tax_id"])
def test_a_partys_text_flows_over_pages(text: str, whose: str, field: str) -> None:
    party = replace(PARTY, **{field: text})
    document = replace(DOCUMENT, seller=party) if whose == "seller" else replace(DOCUMENT, buyer=party)
    pdf = invoice_pdf(document)
    assert pdf.startswith(b"%PDF-")
    assert num_pages(pdf) > 1 or text in {LONG["markup"], LONG["wide letters"], LONG["an address of sixty lines"]}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_so_do_the_longest_names_of_models_organizations_and_credit_and_any_note(text: str) -> None:
    name = text[:LONGEST_NAME]
    sections = tuple(
        Section(organization=name, lines=(replace(LINE, model=name),), subtotal="$15.00") for _ in range(2)
    )
    pdf = invoice_pdf(replace(DOCUMENT, sections=sections, credits=((name, "−$5.00"),), payment_note=text))
    assert num_pages(pdf) >= 1


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=400))
def test_any_text_makes_a_document(text: str) -> None:
    party = Party(name=text, address=text, tax_id=text)
    assert num_pages(invoice_pdf(replace(DOCUMENT, seller=party, buyer=party))) >= 1


def test_an_ordinary_document_stays_on_one_page() -> None:
    assert num_pages(invoice_pdf(DOCUMENT)) == 1
