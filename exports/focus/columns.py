"""The columns of the FOCUS cost and usage file, once: what each holds for usage, and for entries of documents.

FOCUS 1.2 (focus.finops.org) with ServiceProviderName, HostProviderName and InvoiceDetailId of 1.3 and 1.4; columns of our own
begin with `x_` and stand last. Neighbours are about the same thing where it can be, so that their cells are written once for
many rows (exports/columns.py).
"""

from dataclasses import dataclass
from typing import Final

from billing.line_items import UNITS, UNITS_OF_A_PRICE
from billing.models import LineItem
from exports.activity import OPERATIONS, PROVIDER_CELL, TIER_CELL
from exports.columns import Column, Kind, Source, exact_cell, named_cell

NOTHING: Final = "NULL"
SERVICE: Final = "AI API"
"""The service of charges that are of no usage type."""
PROJECT_TAG: Final = "usage-dashboard/project"
_UNIT_WORDS: Final = {"byte-days": "B-Days"}
_PRICED_WORDS: Final = {"byte-days": "MB-Days"}
CONSUMED_UNITS: Final = {item.value: _UNIT_WORDS.get(unit, unit.capitalize()) for item, unit in UNITS.items()}
"""FOCUS's unit format: plural nouns in capitals, and B for bytes."""
PRICING_UNITS: Final = {
    item.value: _PRICED_WORDS.get(unit) or (f"{number} {unit.capitalize()}" if number > 1 else unit.capitalize())
    for item, unit in UNITS.items()
    for number in [UNITS_OF_A_PRICE[item]]
}
LABELS: Final = {item.value: item.label for item in LineItem}
SIZES: Final = {item.value: f"{number}" for item, number in UNITS_OF_A_PRICE.items()}


def item_name(line_item: str) -> str:
    """The SQL of a line item's name."""
    return named_cell(line_item, LABELS)


def price_size(line_item: str) -> str:
    """The SQL of how many units a price of the line item is said for."""
    return f"({named_cell(line_item, SIZES)})::numeric"


def moment(day: str) -> str:
    """The SQL of 00:00 UTC of a day."""
    return f"""to_char({day}, 'YYYY-MM-DD"T"00:00:00"Z"')"""


def month_end(month: str) -> str:
    """The SQL of the first day after the month that begins with this one."""
    return f"({month} + interval '1 month')::date"


@dataclass(frozen=True)
class FocusColumn:
    """A column: the SQL of its cell in a row of usage, which `source` it is of there, and in a row `entry` of documents."""

    name: str
    kind: Kind
    source: Source
    usage: str
    entry: str = NOTHING


def _of_offer(name: str, usage: str, entry: str = NOTHING, kind: Kind = Kind.WORD) -> FocusColumn:
    return FocusColumn(name, kind, Source.OFFER, usage, entry)


def _always(name: str, cell: str, kind: Kind = Kind.WORD) -> FocusColumn:
    return _of_offer(name, cell, cell, kind)


def _number(name: str, usage: str, entry: str = NOTHING) -> FocusColumn:
    return FocusColumn(
        name, Kind.NUMBER, Source.ROW, exact_cell(usage), exact_cell(entry) if entry != NOTHING else entry
    )


PRICED_QUANTITY: Final = "sums.quantity / offers.price_size"
AMOUNT: Final = "sums.quantity * offers.unit_price"
USAGE_MONTH: Final = "days.month"
PRICE_DETAILS: Final = f"""jsonb_strip_nulls(jsonb_build_object(
    'x_UsageType', {named_cell("price.usage_type", OPERATIONS)}, 'x_Batch', price.batch,
    'x_ContextTokensAbove', nullif(price.context_band, 0)
))::text"""
FOCUS_COLUMNS: Final = (
    _always("BillingAccountId", "%(account_id)s"),
    _always("BillingAccountName", "%(account_name)s", Kind.TEXT),
    _always("BillingAccountType", "'Organization'"),
    _always("BillingCurrency", "'USD'"),
    _of_offer("BillingPeriodStart", moment(USAGE_MONTH), moment("entry.billing_month"), Kind.MOMENT),
    _of_offer(
        "BillingPeriodEnd", moment(month_end(USAGE_MONTH)), moment(month_end("entry.billing_month")), Kind.MOMENT
    ),
    _of_offer("ChargeCategory", "'Usage'", "entry.category"),
    _of_offer("ChargeClass", NOTHING, "CASE WHEN entry.is_correction THEN 'Correction' END"),
    _of_offer(
        "ChargeDescription", f"model.name || ', ' || {item_name('cost.line_item')}", "entry.description", Kind.TEXT
    ),
    _of_offer("ChargeFrequency", "'Usage-Based'", "'One-Time'"),
    _of_offer("ChargePeriodStart", moment("days.day"), moment("entry.charge_start"), Kind.MOMENT),
    _of_offer("ChargePeriodEnd", moment("days.day + 1"), moment("entry.charge_end"), Kind.MOMENT),
    _of_offer("ConsumedUnit", named_cell("cost.line_item", CONSUMED_UNITS)),
    _of_offer(
        "ContractedUnitPrice",
        exact_cell(f"cost.unit_price * {price_size('cost.line_item')}"),
        "entry.unit_price",
        Kind.NUMBER,
    ),
    _of_offer("HostProviderName", f"coalesce(nullif({PROVIDER_CELL}, ''), %(issuer)s)", "%(issuer)s", Kind.TEXT),
    _of_offer("InvoiceId", "home.number", "entry.number"),
    _of_offer("InvoiceDetailId", "home.detail_id", "entry.detail_id"),
    _of_offer(
        "InvoiceIssuerName", "coalesce(home.issuer, %(issuer)s)", "coalesce(entry.issuer, %(issuer)s)", Kind.TEXT
    ),
    _of_offer(
        "ListUnitPrice",
        exact_cell(f"coalesce(listed.unit_price, cost.unit_price) * {price_size('cost.line_item')}"),
        "entry.unit_price",
        Kind.NUMBER,
    ),
    _of_offer("PricingCategory", "'Standard'", "CASE WHEN entry.unit_price IS NOT NULL THEN 'Standard' END"),
    _of_offer(
        "PricingUnit",
        named_cell("cost.line_item", PRICING_UNITS),
        "CASE WHEN entry.unit_price IS NOT NULL THEN 'USD' END",
    ),
    _always("ProviderName", "%(issuer)s", Kind.TEXT),
    _always("PublisherName", "%(issuer)s", Kind.TEXT),
    _always("ServiceCategory", "'AI and Machine Learning'"),
    _of_offer("ServiceName", named_cell("sku.usage_type", OPERATIONS), f"'{SERVICE}'"),
    _always("ServiceProviderName", "%(issuer)s", Kind.TEXT),
    _always("ServiceSubcategory", "'Generative AI'"),
    _of_offer("SkuId", f"model.name || '/' || {item_name('cost.line_item')}", "entry.sku", Kind.TEXT),
    _of_offer("SkuMeter", item_name("cost.line_item"), "entry.meter"),
    _of_offer("SkuPriceDetails", PRICE_DETAILS, NOTHING, Kind.OBJECT),
    _of_offer(
        "SkuPriceId",
        "coalesce(cost.price_id, 0) || '-' || cost.line_item",
        "CASE WHEN entry.unit_price IS NOT NULL THEN entry.sku END",
    ),
    _of_offer("SubAccountId", "organization.public_id", "organization.public_id"),
    _of_offer("SubAccountName", "organization.name", "organization.name", Kind.TEXT),
    _of_offer("SubAccountType", "'Organization'", "CASE WHEN organization.id IS NOT NULL THEN 'Organization' END"),
    _number("BilledCost", AMOUNT, "entry.amount"),
    _number("ConsumedQuantity", "sums.quantity"),
    _number("ContractedCost", AMOUNT, "entry.amount"),
    _number("EffectiveCost", AMOUNT, "entry.effective_amount"),
    _number("ListCost", "sums.quantity * offers.list_unit_price", "entry.list_amount"),
    _number("PricingQuantity", PRICED_QUANTITY, "CASE WHEN entry.unit_price IS NOT NULL THEN entry.amount END"),
    FocusColumn("ResourceId", Kind.WORD, Source.KEY, "public_id"),
    FocusColumn("ResourceName", Kind.TEXT, Source.KEY, "name"),
    FocusColumn("ResourceType", Kind.WORD, Source.KEY, "'API key'"),
    FocusColumn(
        "Tags",
        Kind.OBJECT,
        Source.PURPOSE,
        f"(attributes::jsonb || jsonb_build_object('{PROJECT_TAG}', project_name))::text",
    ),
    FocusColumn("x_ProjectId", Kind.WORD, Source.PURPOSE, "project_id"),
    FocusColumn("x_CredentialId", Kind.WORD, Source.KEY, "public_id"),
    FocusColumn("x_PrincipalId", Kind.WORD, Source.PERSON, "public_id"),
    FocusColumn("x_PrincipalName", Kind.TEXT, Source.PERSON, "email"),
    _of_offer("x_Model", "model.name", "model.name", Kind.TEXT),
    _of_offer("x_ServiceTier", TIER_CELL, NOTHING, Kind.TEXT),
    _of_offer("x_Batch", "sku.batch", NOTHING),
    _always("x_CompleteThrough", "%(complete_through)s", Kind.MOMENT),
)
USAGE_COLUMNS: Final = tuple(Column(column.name, column.usage, column.kind, column.source) for column in FOCUS_COLUMNS)
ENTRY_COLUMNS: Final = tuple(Column(column.name, column.entry, column.kind) for column in FOCUS_COLUMNS)
