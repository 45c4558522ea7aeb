"""The example of docs/billing.md, with its numbers."""

from decimal import Decimal

import pytest

from accounts.models import Organization
from billing.invoices import grants
from billing.invoices.grants import GrantTerms
from billing.models import BillingDetails, Invoice, LineItem
from tests.money import ACTOR, NOVEMBER, OCTOBER, at, close, set_price, use
from tests.world import make_organization

pytestmark = pytest.mark.django_db
PER_MILLION = (
    ("atlas-large", LineItem.INPUT, "2.50", "2026-01-01"),
    ("atlas-large", LineItem.CACHED_INPUT, "1.25", "2026-01-01"),
    ("atlas-large", LineItem.OUTPUT, "10", "2026-01-01"),
    ("atlas-mini", LineItem.INPUT, "0.15", "2026-01-01"),
    ("atlas-mini", LineItem.INPUT, "0.20", "2026-10-16"),
    ("atlas-mini", LineItem.OUTPUT, "0.60", "2026-01-01"),
    ("quartz-embed", LineItem.INPUT, "0.02", "2026-01-01"),
)
EVENTS = (
    (
        "2026-10-02",
        "atlas-large",
        {"input_tokens": 1_200_000, "input_cached_tokens": 200_000, "output_tokens": 300_000},
    ),
    ("2026-10-02", "atlas-mini", {"input_tokens": 4_000_000, "output_tokens": 500_000}),
    ("2026-10-05", "quartz-embed", {"input_tokens": 33_333_333}),
    ("2026-10-09", "scribe-1", {"seconds": 1_234}),
    ("2026-10-10", "atlas-large", {"input_tokens": 500_000, "output_tokens": 120_000}),
    ("2026-10-15", "atlas-mini", {"input_tokens": 2_345_678, "output_tokens": 111_111}),
    ("2026-10-16", "atlas-mini", {"input_tokens": 2_345_678, "output_tokens": 111_111}),
    ("2026-10-20", "quartz-embed", {"input_tokens": 1_250_000}),
    ("2026-10-28", "scribe-1", {"seconds": 567}),
    ("2026-10-31", "atlas-large", {"input_tokens": -100_000}),
)
LINES = {
    ("atlas-large", LineItem.INPUT): (1_400_000, "3.50"),
    ("atlas-large", LineItem.CACHED_INPUT): (200_000, "0.25"),
    ("atlas-large", LineItem.OUTPUT): (420_000, "4.20"),
    ("atlas-mini", LineItem.INPUT): (8_691_356, "1.42"),
    ("atlas-mini", LineItem.OUTPUT): (722_222, "0.43"),
    ("quartz-embed", LineItem.INPUT): (34_583_333, "0.69"),
    ("scribe-1", LineItem.SECOND): (1_801, "0.18"),
}


@pytest.fixture
def example(db: None) -> Organization:
    organization = make_organization("Example Corp")
    BillingDetails.objects.create(organization=organization, tax_name="VAT", tax_rate="0.19")
    for model, line_item, price, start in PER_MILLION:
        set_price(model, str(Decimal(price) / 1_000_000), start=start, line_item=line_item)
    set_price("scribe-1", "0.0001", line_item=LineItem.SECOND)
    terms = GrantTerms(
        name="Trial",
        amount=Decimal(20),
        category="promotional",
        effective_at=at("2026-10-01"),
        expires_at=at("2026-10-10"),
    )
    grants.give(organization, terms, actor=ACTOR)
    for day, model, measures in EVENTS:
        use(organization, day, model, **measures)
    return organization


def lines_of(invoice: Invoice) -> dict[tuple[str, LineItem], tuple[int, str]]:
    return {
        (line.model.name, LineItem(line.line_item)): (int(line.quantity), str(line.amount))
        for line in invoice.lines.select_related("model")
    }


def test_october(example: Organization) -> None:
    [invoice] = close(OCTOBER)
    assert lines_of(invoice) == LINES
    amounts = (invoice.subtotal, invoice.credits, invoice.tax, invoice.total)
    assert [str(amount) for amount in amounts] == ["10.67", "7.44", "0.61", "3.84"]
    [balance] = grants.balances(example, OCTOBER.end)
    assert (balance.used, balance.remaining) == (Decimal("7.44"), Decimal(0))


def test_what_came_late_is_on_the_next_invoice(example: Organization) -> None:
    close(OCTOBER)
    use(example, "2026-10-20", "quartz-embed", input_tokens=250_000)
    [invoice] = close(NOVEMBER)
    assert lines_of(invoice) == {("quartz-embed", LineItem.INPUT): (250_000, "0.01")}
    assert invoice.lines.get().usage_month == OCTOBER.start
