"""Pages of the operator's staff: the price book, credit grants, and everybody's invoices. For others they do not exist."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import find_seen
from accounts.audit.audit import actor_of
from accounts.clock import database_now
from accounts.models import Organization
from accounts.pages.frame import SignedInRequest, user_frame
from accounts.pages.lists import page_of
from accounts.pages.posting import back_to, post_only
from accounts.periods import midnight
from accounts.staff.doors import staff_only
from billing.display import dollars
from billing.invoices import balance, closing, grants, holds, invoices
from billing.invoices.balance import RefundRefusedError
from billing.invoices.grants import GrantRefusedError, GrantTerms
from billing.invoices.invoices import InvoiceRefusedError
from billing.invoices.listing import invoice_row
from billing.models import CreditGrant, Invoice, MonthClose, PriceChange
from billing.pages.forms import GrantForm, PriceForm, RefundForm, ReleaseForm
from billing.pages.organization_views import pdf_response
from billing.pages.price_preview import price_preview
from billing.prices import listing, rerating
from billing.prices.rerating import ClosedMonthError

PRICES = "billing:prices"
NUM_UNPRICED = 20
PAGES = {"billing/staff_credit.html": "billing:credit", "billing/staff_invoices.html": "billing:all_invoices"}
View = Callable[..., HttpResponse]


@require_safe
@staff_only("billing.view_price")
def prices(request: SignedInRequest) -> HttpResponse:
    """The price book, the latest usage without a price, and the latest changes."""
    search = request.GET.get("q", "").replace("\0", "")[:128]
    page = page_of(listing.find_prices(search), request.GET)
    unpriced = listing.UnpricedUsage()
    context = {
        "search": search,
        "page": page,
        "prices": listing.price_rows(page.rows, database_now().date()),
        "unpriced": unpriced[:NUM_UNPRICED],
        "num_unpriced": len(unpriced),
        "changes": listing.change_rows(),
    }
    return _page(request, "billing/prices.html", context)


@require_safe
@staff_only("billing.view_price")
def unpriced(request: SignedInRequest) -> HttpResponse:
    """All usage without a price, page by page."""
    page = page_of(listing.UnpricedUsage(), request.GET)
    return _page(request, "billing/all_unpriced.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only("billing.change_price")
def price_change(request: SignedInRequest) -> HttpResponse:
    """Set, correct or end a price: first the preview of what that changes, then, with `confirm`, the change.

    What looks like a slip of the unit or of a digit is only made with its amount typed a second time.
    """
    if request.method != "POST":
        return _page(request, "billing/price_change.html", {"form": PriceForm(initial=request.GET.dict())})
    form = PriceForm(request.POST)
    if not form.is_valid():
        return _page(request, "billing/price_change.html", {"form": form})
    terms = form.cleaned_data["terms"]
    preview = price_preview(terms, rerating.preview(terms), request.POST.dict())
    if "confirm" in request.POST and not preview.error:
        try:
            change = rerating.change_price(terms, actor=actor_of(request))
        except ClosedMonthError as error:
            form.add_error("effective_date", str(error))
        else:
            return redirect("billing:price_change_progress", change.pk)
    return _page(request, "billing/price_change.html", {"form": form, "preview": preview})


@require_safe
@staff_only("billing.view_price")
def price_change_progress(request: SignedInRequest, change_id: int) -> HttpResponse:
    """How far the re-rating of a change is, and what it changed."""
    change = find_seen(PriceChange.objects.select_related("requested_by"), pk=change_id)
    page = page_of(listing.find_adjustments(change), request.GET)
    context = {
        "change": listing.change_row(change),
        "page": page,
        "adjustments": listing.adjustment_rows(page.rows),
    }
    return _page(request, "billing/price_change_progress.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only("billing.view_creditgrant", to_change="billing.add_creditgrant")
def credit(request: SignedInRequest) -> HttpResponse:
    """Everybody's grants; POST gives a new one."""
    form = GrantForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            grant = grants.give(form.cleaned_data["organization"], _terms(form), actor=actor_of(request))
        except GrantRefusedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Granted “{grant.name}” to {grant.organization.name}.")
            return redirect("billing:credit")  # the first page, on which it is
    page = page_of(CreditGrant.objects.select_related("organization").order_by("-id"), request.GET)
    return _page(request, "billing/staff_credit.html", {"form": form, "page": page})


@post_only("billing:credit")
@staff_only("billing.change_creditgrant")
def credit_voiding(request: SignedInRequest, grant_id: int) -> HttpResponse:
    """The grant pays nothing from now on."""
    grant = find_seen(CreditGrant.objects.all(), pk=grant_id)
    grants.void(grant, actor=actor_of(request), now=database_now())
    messages.success(request, f"Grant “{grant.name}” voided. What it already paid stays paid.")
    return back_to(request, "billing:credit")


@require_safe
@staff_only("billing.view_invoice")
def all_invoices(request: SignedInRequest) -> HttpResponse:
    """Everybody's invoices, the newest first; what is held back, the balances, and how far the closing of each month is.

    Each of the lists has pages of its own.
    """
    page = page_of(Invoice.objects.select_related("payer").order_by("-month", "-id"), request.GET)
    failed_page = page_of(closing.failed_items(), request.GET, name="failed")
    held_page = page_of(holds.held_invoices(), request.GET, name="held")
    balance_page = page_of(balance.payers_with_balance(), request.GET, name="balance")
    context = {
        "page": page,
        "rows": [(invoice, invoice_row(invoice)) for invoice in page.rows],
        "failed_page": failed_page,
        "failures": closing.failures(failed_page.rows),
        "held_page": held_page,
        "held": holds.explained(held_page.rows),
        "balance_page": balance_page,
        "balances": balance.named_balances(balance_page.rows),
        "closings": MonthClose.objects.order_by("-month")[:12],
    }
    return _page(request, "billing/staff_invoices.html", context)


@require_safe
@staff_only("billing.view_invoice")
def any_pdf(request: SignedInRequest, invoice_id: int) -> HttpResponse:  # noqa: ARG001 - the guard reads it
    """An invoice as PDF."""
    return pdf_response(find_seen(Invoice.objects.select_related("corrects"), pk=invoice_id))


@post_only("billing:all_invoices")
@staff_only("billing.change_invoice")
def invoice_payment(request: SignedInRequest, invoice_id: int) -> HttpResponse:
    """The invoice is paid."""
    invoice = find_seen(Invoice.objects.all(), pk=invoice_id)
    try:
        invoices.mark_paid(invoice, actor=actor_of(request), now=database_now())
        messages.success(request, f"Invoice {invoice.number} marked as paid.")
    except InvoiceRefusedError as error:
        messages.warning(request, str(error))
    return back_to(request, "billing:all_invoices")


@post_only("billing:all_invoices")
@staff_only("billing.change_invoice")
def invoice_voiding(request: SignedInRequest, invoice_id: int) -> HttpResponse:
    """The invoice is taken back with a credit note."""
    invoice = find_seen(Invoice.objects.all(), pk=invoice_id)
    try:
        note = invoices.void(invoice, actor=actor_of(request), now=database_now())
        messages.success(request, f"Invoice {invoice.number} voided; credit note {note.number} reverses it.")
    except InvoiceRefusedError as error:
        messages.warning(request, str(error))
    return back_to(request, "billing:all_invoices")


@post_only("billing:all_invoices")
@staff_only("billing.change_invoice")
def invoice_release(request: SignedInRequest, invoice_id: int) -> HttpResponse:
    """A held invoice is right and is issued. The form says over how much, so that nobody releases what they did not see."""
    invoice = find_seen(Invoice.objects.all(), pk=invoice_id)
    form = ReleaseForm(request.POST)
    try:
        total = form.cleaned_data["amount"] if form.is_valid() else None
        issued = invoices.release(invoice, total, actor=actor_of(request), now=database_now())
        messages.success(request, f"Invoice {issued.number} for {dollars(issued.total)} issued.")
    except InvoiceRefusedError as error:
        messages.warning(request, str(error))
    return back_to(request, "billing:all_invoices")


@post_only("billing:all_invoices")
@staff_only("billing.change_invoice")
def balance_refund(request: SignedInRequest, slug: str) -> HttpResponse:
    """The payer's balance was paid back. The form says how much it was, so that a second click does nothing."""
    payer = find_seen(Organization.objects.all(), slug=slug)
    form = RefundForm(request.POST)
    try:
        amount = form.cleaned_data["amount"] if form.is_valid() else Decimal(0)
        made = balance.refund(payer, amount, actor=actor_of(request))
        messages.success(request, f"{dollars(made.amount)} of {payer.name}'s balance marked as refunded.")
    except RefundRefusedError as error:
        messages.warning(request, str(error))
    return back_to(request, "billing:all_invoices")


def _terms(form: GrantForm) -> GrantTerms:
    fields = form.cleaned_data
    return GrantTerms(
        name=fields["name"],
        amount=fields["amount"],
        category=fields["category"],
        priority=fields["priority"],
        effective_at=midnight(fields["effective_date"]),
        expires_at=midnight(fields["last_date"]) if fields["last_date"] else None,
    )


def _page(request: SignedInRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, {"frame": user_frame(request.user, page=PAGES.get(template, PRICES)), **context})
