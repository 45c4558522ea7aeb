"""What FOCUS says of the columns of a file: level, type, nulls and allowed values, as the specification's tables have them."""

from typing import Final, NamedTuple


class Rule(NamedTuple):
    type: str
    allows_null: bool
    allowed: tuple[str, ...] = ()


DECIMAL, TEXT, MOMENT, JSON = "Decimal", "String", "Date/Time", "JSON"
SERVICE_CATEGORIES: Final = (
    *("AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools"),
    *("Multicloud", "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration"),
    *("Mobile", "Networking", "Security", "Storage", "Web", "Other"),
)
MANDATORY: Final = {
    "BilledCost": Rule(DECIMAL, False),
    "BillingAccountId": Rule(TEXT, False),
    "BillingAccountName": Rule(TEXT, True),
    "BillingCurrency": Rule(TEXT, False, ("USD",)),
    "BillingPeriodEnd": Rule(MOMENT, False),
    "BillingPeriodStart": Rule(MOMENT, False),
    "ChargeCategory": Rule(TEXT, False, ("Usage", "Purchase", "Tax", "Credit", "Adjustment")),
    "ChargeClass": Rule(TEXT, True, ("Correction",)),
    "ChargeDescription": Rule(TEXT, True),
    "ChargePeriodEnd": Rule(MOMENT, False),
    "ChargePeriodStart": Rule(MOMENT, False),
    "ContractedCost": Rule(DECIMAL, False),
    "EffectiveCost": Rule(DECIMAL, False),
    "InvoiceIssuerName": Rule(TEXT, False),
    "ListCost": Rule(DECIMAL, False),
    "PricingQuantity": Rule(DECIMAL, True),
    "PricingUnit": Rule(TEXT, True),
    "ProviderName": Rule(TEXT, False),
    "PublisherName": Rule(TEXT, False),
    "ServiceCategory": Rule(TEXT, False, SERVICE_CATEGORIES),
    "ServiceName": Rule(TEXT, False),
}
CONDITIONAL: Final = {
    "BillingAccountType": Rule(TEXT, False),
    "ChargeFrequency": Rule(TEXT, False, ("One-Time", "Recurring", "Usage-Based")),
    "ConsumedQuantity": Rule(DECIMAL, True),
    "ConsumedUnit": Rule(TEXT, True),
    "ContractedUnitPrice": Rule(DECIMAL, True),
    "InvoiceId": Rule(TEXT, True),
    "ListUnitPrice": Rule(DECIMAL, True),
    "PricingCategory": Rule(TEXT, True, ("Standard", "Dynamic", "Committed", "Other")),
    "ResourceId": Rule(TEXT, True),
    "ResourceName": Rule(TEXT, True),
    "ResourceType": Rule(TEXT, True),
    "ServiceSubcategory": Rule(TEXT, False, ("Generative AI",)),
    "SkuId": Rule(TEXT, True),
    "SkuMeter": Rule(TEXT, True),
    "SkuPriceDetails": Rule(JSON, True),
    "SkuPriceId": Rule(TEXT, True),
    "SubAccountId": Rule(TEXT, True),
    "SubAccountName": Rule(TEXT, True),
    "SubAccountType": Rule(TEXT, True),
    "Tags": Rule(JSON, True),
}
LATER: Final = {
    "ServiceProviderName": Rule(TEXT, False),
    "HostProviderName": Rule(TEXT, False),
    "InvoiceDetailId": Rule(TEXT, True),
}
COST_AND_USAGE: Final = MANDATORY | CONDITIONAL | LATER
INVOICE_DETAIL: Final = {
    "BilledCost": Rule(DECIMAL, False),
    "BillingAccountId": Rule(TEXT, False),
    "BillingCurrency": Rule(TEXT, False, ("USD",)),
    "BillingPeriodEnd": Rule(MOMENT, False),
    "BillingPeriodStart": Rule(MOMENT, False),
    "ChargeCategory": Rule(TEXT, False, ("Usage", "Purchase", "Tax", "Credit", "Adjustment")),
    "InvoiceDetailCreated": Rule(MOMENT, False),
    "InvoiceDetailDescription": Rule(TEXT, True),
    "InvoiceDetailGrain": Rule(JSON, True),
    "InvoiceDetailId": Rule(TEXT, False),
    "InvoiceDetailLastUpdated": Rule(MOMENT, False),
    "InvoiceId": Rule(TEXT, False),
    "InvoiceIssueDate": Rule(MOMENT, False),
    "InvoiceIssuerName": Rule(TEXT, False),
    "InvoiceIssueStatus": Rule(TEXT, False, ("Open", "Issued", "Voided")),
    "PaymentCurrency": Rule(TEXT, False, ("USD",)),
    "PaymentCurrencyBilledCost": Rule(DECIMAL, False),
    "PaymentDueDate": Rule(MOMENT, True),
    "PaymentTerms": Rule(TEXT, False),
    "ReferenceInvoiceId": Rule(TEXT, True),
}
BILLING_PERIOD: Final = {
    "BillingPeriodCreated": Rule(MOMENT, False),
    "BillingPeriodEnd": Rule(MOMENT, False),
    "BillingPeriodLastUpdated": Rule(MOMENT, False),
    "BillingPeriodStart": Rule(MOMENT, False),
    "BillingPeriodStatus": Rule(TEXT, False, ("Open", "Closed")),
    "InvoiceIssuerName": Rule(TEXT, False),
}
FORMS: Final = {
    DECIMAL: r"-?[0-9]+(\.[0-9]+)?",
    TEXT: r"(?s).*\S.*",
    MOMENT: r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    JSON: r"\{.*\}",
}
