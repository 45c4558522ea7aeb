"""The pages that the frame around every page leads to."""

from typing import Final

from accounts.pages.menu import ADMINS, OWNERS, Menu, Page

MENU: Final = Menu(
    organization=(
        Page("General", "accounts:organization"),
        Page("Members", "accounts:members", ADMINS),
        Page("Usage", "metering:activity"),
        Page("Billing", "billing:billing", ADMINS),
        Page("Projects", "apikeys:projects"),
        Page("Attributes", "metering:attributes"),
        Page("Key coverage", "metering:coverage", ADMINS),
        Page("Admin keys", "apikeys:admin_keys", OWNERS),
        Page("Provisioning", "scim:list", OWNERS),
        Page("Audit log", "accounts:audit", OWNERS),
    ),
    user=(
        Page("Profile", "accounts:profile"),
        Page("API keys", "apikeys:keys"),
        Page("Organizations", "accounts:organizations"),
        Page("Security", "accounts:security"),
        Page("API for programs", "api_docs"),
    ),
    staff=(
        Page("Overview", "overview:home"),
        Page("Customers", "billing:customers", right="billing.view_invoice"),
        Page("Users", "accounts:users", right="accounts.view_user"),
        Page("Prices", "billing:prices", right="billing.view_price"),
        Page("Credit", "billing:credit", right="billing.view_creditgrant"),
        Page("Invoices", "billing:all_invoices", right="billing.view_invoice"),
        Page("Ingestion", "billing:ingestion", right="metering.view_ingestcount"),
        Page("System", "overview:state", right="metering.view_ingestcount"),
        Page("News", "billing:staff_news", right="billing.view_webhookendpoint"),
        Page("Operator tokens", "operator_tokens:list", right="apikeys.view_operatortoken"),
    ),
    views=(Page("Cost", "billing:cost"), Page("Activity", "metering:activity")),
    usage="metering:activity",
    to_read=(
        "metering:usage_routing",
        "metering:key_routing",
        "apikeys:project",
        "billing:budgets",
        "billing:messages",
        "billing:invoice",
        "billing:invoice_pdf",
    ),
)
