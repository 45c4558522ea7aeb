"""Pages of the operator's staff: the price book, credit grants, and everybody's invoices. For others they do not exist."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.audit import actor_of
from accounts.clock import database_now
from accounts.frame import SignedInRequest, user_frame
from billing import grants, invoices, price_changes, price_pages
from billing.billing_page import invoice_row
from billing.billing_views import pdf_response
from billing.forms import GrantForm, PriceForm
from billing.grants import GrantRefusedError, GrantTerms
from billing.invoices import InvoiceRefusedError
from billing.models import CreditGrant, Invoice, MonthClose, PriceChange
from billing.price_changes import ClosedMonthError
from metering.periods import midnight

MAX_ROWS = 200
PRICES = "billing:prices"
PAGES = {"billing/staff_credit.html": "billing:credit", "billing/staff_invoices.html": "billing:all_invoices"}
View = Callable[..., HttpResponse]


def staff_only(view: View) -> View:
    """Signs in first; 404 for everyone who is not staff."""

    @login_required
    @wraps(view)
    def guarded(request: SignedInRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise Http404("There is no such page.")
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@staff_only
def prices(request: SignedInRequest) -> HttpResponse:
    """The price book, usage without a price, and the latest changes."""
    search = request.GET.get("q", "").replace("\0", "")[:128]
    context = {
        "search": search,
        "prices": price_pages.price_rows(search, database_now().date()),
        "max_prices": price_pages.MAX_PRICES,
        "unpriced": price_pages.unpriced_rows(),
        "changes": price_pages.change_rows(),
    }
    return _page(request, "billing/prices.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def price_change(request: SignedInRequest) -> HttpResponse:
    """Set, correct or end a price: first the preview of what that changes, then, with `confirm`, the change."""
    if request.method != "POST":
        return _page(request, "billing/price_change.html", {"form": PriceForm(initial=request.GET.dict())})
    form = PriceForm(request.POST)
    if not form.is_valid():
        return _page(request, "billing/price_change.html", {"form": form})
    terms = form.cleaned_data["terms"]
    if "confirm" in request.POST:
        try:
            change = price_changes.change_price(terms, actor=actor_of(request))
        except ClosedMonthError as error:
            form.add_error("effective_date", str(error))
        else:
            return redirect("billing:price_change_progress", change.pk)
    context = {"form": form, "terms": terms, "effect": price_changes.preview(terms)}
    return _page(request, "billing/price_change.html", context)


@require_safe
@staff_only
def price_change_progress(request: SignedInRequest, change_id: int) -> HttpResponse:
    """How far the re-rating of a change is, and what it changed."""
    change = get_object_or_404(PriceChange.objects.select_related("requested_by"), pk=change_id)
    context = {"change": price_pages.change_row(change), "adjustments": price_pages.adjustment_rows(change)}
    return _page(request, "billing/price_change_progress.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def credit(request: SignedInRequest) -> HttpResponse:
    """Everybody's grants; POST gives a new one."""
    form = GrantForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            grant = grants.give(form.cleaned_data["organization"], _terms(form), actor=actor_of(request))
        except GrantRefusedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{grant.organization.name} has the grant “{grant.name}”.")
            return redirect("billing:credit")
    found = CreditGrant.objects.select_related("organization").order_by("-id")[:MAX_ROWS]
    return _page(request, "billing/staff_credit.html", {"form": form, "grants": found})


@require_POST
@staff_only
def credit_voiding(request: SignedInRequest, grant_id: int) -> HttpResponse:
    """The grant pays nothing from now on."""
    grant = get_object_or_404(CreditGrant, pk=grant_id)
    grants.void(grant, actor=actor_of(request), now=database_now())
    messages.success(request, f"The grant “{grant.name}” is voided. What it has paid stays paid.")
    return redirect("billing:credit")


@require_safe
@staff_only
def all_invoices(request: SignedInRequest) -> HttpResponse:
    """Everybody's invoices, the newest first, and how far the closing of each month is."""
    found = Invoice.objects.select_related("payer").order_by("-month", "-id")[:MAX_ROWS]
    context = {
        "rows": [(invoice, invoice_row(invoice)) for invoice in found],
        "closings": MonthClose.objects.order_by("-month")[:12],
    }
    return _page(request, "billing/staff_invoices.html", context)


@require_safe
@staff_only
def any_pdf(request: SignedInRequest, invoice_id: int) -> HttpResponse:  # noqa: ARG001 - the guard reads it
    """An invoice as PDF."""
    return pdf_response(get_object_or_404(Invoice.objects.select_related("corrects"), pk=invoice_id))


@require_POST
@staff_only
def invoice_payment(request: SignedInRequest, invoice_id: int) -> HttpResponse:
    """The invoice is paid."""
    invoice = get_object_or_404(Invoice, pk=invoice_id)
    try:
        invoices.mark_paid(invoice, actor=actor_of(request), now=database_now())
        messages.success(request, f"Invoice {invoice.number} is paid.")
    except InvoiceRefusedError as error:
        messages.warning(request, str(error))
    return redirect("billing:all_invoices")


@require_POST
@staff_only
def invoice_voiding(request: SignedInRequest, invoice_id: int) -> HttpResponse:
    """The invoice is taken back with a credit note."""
    invoice = get_object_or_404(Invoice, pk=invoice_id)
    try:
        note = invoices.void(invoice, actor=actor_of(request), now=database_now())
        messages.success(request, f"Invoice {invoice.number} is void; credit note {note.number} takes it back.")
    except InvoiceRefusedError as error:
        messages.warning(request, str(error))
    return redirect("billing:all_invoices")


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
