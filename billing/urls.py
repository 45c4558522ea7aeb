from django.urls import path

from billing.cost import views
from billing.pages import budget_views, organization_views, staff_news_views, staff_views, webhook_views
from billing.pages.api import InvoicePayment, Refund
from billing.pages.customers import views as customer_views
from billing.pages.ingestion import views as ingestion_views

app_name = "billing"
NEWS = "settings/news/"
BILLING = "settings/organization/<slug:slug>/billing/"
urlpatterns = [
    path("settings/organization/<slug:slug>/usage/cost/", views.cost, name="cost"),
    path(BILLING, organization_views.billing, name="billing"),
    path(f"{BILLING}details/", organization_views.details, name="details"),
    path(f"{BILLING}budgets/", budget_views.budget_list, name="budgets"),
    path(f"{BILLING}budgets/new/", budget_views.new_budget, name="new_budget"),
    path(f"{BILLING}budgets/<int:budget_id>/", budget_views.one_budget, name="budget"),
    path(f"{BILLING}budgets/<int:budget_id>/removal/", budget_views.budget_removal, name="budget_removal"),
    path(f"{BILLING}webhooks/", webhook_views.add_webhook, name="webhooks"),
    path(f"{BILLING}webhooks/<int:endpoint_id>/secret/", webhook_views.webhook_secret, name="webhook_secret"),
    path(f"{BILLING}webhooks/<int:endpoint_id>/removal/", webhook_views.webhook_removal, name="webhook_removal"),
    path(
        f"{BILLING}webhooks/<int:endpoint_id>/activation/",
        webhook_views.webhook_activation,
        name="webhook_activation",
    ),
    path(f"{BILLING}webhooks/<int:endpoint_id>/test/", webhook_views.webhook_test, name="webhook_test"),
    path(f"{BILLING}messages/", webhook_views.sent_messages, name="messages"),
    path(f"{BILLING}messages/<int:delivery_id>/again/", webhook_views.message_again, name="message_again"),
    path(f"{BILLING}invoices/<int:invoice_id>/", organization_views.invoice, name="invoice"),
    path(f"{BILLING}invoices/<int:invoice_id>/pdf/", organization_views.pdf, name="invoice_pdf"),
    path("settings/customers/", customer_views.customer_list, name="customers"),
    path("settings/prices/", staff_views.prices, name="prices"),
    path("settings/prices/unpriced/", staff_views.unpriced, name="unpriced"),
    path("settings/prices/change/", staff_views.price_change, name="price_change"),
    path("settings/prices/changes/<int:change_id>/", staff_views.price_change_progress, name="price_change_progress"),
    path("settings/credit/", staff_views.credit, name="credit"),
    path("settings/credit/<int:grant_id>/voiding/", staff_views.credit_voiding, name="credit_voiding"),
    path("settings/invoices/", staff_views.all_invoices, name="all_invoices"),
    path("settings/invoices/<int:invoice_id>/pdf/", staff_views.any_pdf, name="any_pdf"),
    path("settings/invoices/<int:invoice_id>/payment/", staff_views.invoice_payment, name="invoice_payment"),
    path("settings/invoices/<int:invoice_id>/voiding/", staff_views.invoice_voiding, name="invoice_voiding"),
    path("settings/invoices/<int:invoice_id>/release/", staff_views.invoice_release, name="invoice_release"),
    path("settings/balances/<slug:slug>/refunds/", staff_views.balance_refund, name="balance_refund"),
    path(NEWS, staff_news_views.staff_news, name="staff_news"),
    path(f"{NEWS}webhooks/", staff_news_views.add_webhook, name="staff_webhooks"),
    path(f"{NEWS}webhooks/<int:endpoint_id>/secret/", staff_news_views.webhook_secret, name="staff_webhook_secret"),
    path(f"{NEWS}webhooks/<int:endpoint_id>/removal/", staff_news_views.webhook_removal, name="staff_webhook_removal"),
    path(
        f"{NEWS}webhooks/<int:endpoint_id>/activation/",
        staff_news_views.webhook_activation,
        name="staff_webhook_activation",
    ),
    path(f"{NEWS}webhooks/<int:endpoint_id>/test/", staff_news_views.webhook_test, name="staff_webhook_test"),
    path(f"{NEWS}messages/<int:delivery_id>/again/", staff_news_views.message_again, name="staff_message_again"),
    path("settings/ingestion/", ingestion_views.ingestion, name="ingestion"),
    path("settings/ingestion/keys/", ingestion_views.import_key, name="ingestion_key"),
    path("settings/ingestion/test-event/", ingestion_views.test_event, name="ingestion_test_event"),
    path("v1/organizations/<str:public_id>/refunds", Refund.as_view(), name="refund_api"),
    path("v1/invoices/<str:number>/payment", InvoicePayment.as_view(), name="invoice_payment_api"),
]
