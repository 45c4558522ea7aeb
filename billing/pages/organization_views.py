"""The Billing page of an organization, its forms, and its invoices as page and PDF."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Access, find_seen, judge_again, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.clock import database_now
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.posting import back_to, post_only
from billing.invoices.details import change_details
from billing.invoices.documents import document_of
from billing.invoices.pdf import invoice_pdf
from billing.models import BillingDetails, Invoice
from billing.pages.forms import BillingDetailsForm
from billing.pages.organization_page import billing_report
from billing.pages.webhook_pages import webhooks_of

PAGE = "billing:billing"


@require_safe
@login_required
def billing(request: SignedInRequest, slug: str) -> HttpResponse:
    """Invoices, credit, budget and billing details for owners; credit grants for admins."""
    access = open_organization(request, slug)
    if not access.is_admin:
        raise PermissionDenied("Only owners and admins can see the organization's billing.")
    return billing_page(request, access)


@post_only(PAGE, "slug")
@login_required
def details(request: SignedInRequest, slug: str) -> HttpResponse:
    """Change whom the next invoices are made out to."""
    access = open_for_owner(request, slug)
    found = BillingDetails.objects.filter(organization=access.organization).first()
    form = BillingDetailsForm(request.POST, instance=found or BillingDetails(organization=access.organization))
    if not form.is_valid():
        return billing_page(request, access, details_form=form)
    with change(by=request.user):
        judge_again(access)
        change_details(organization=access.organization, fields=form.cleaned_data, actor=actor_of(request))
    messages.success(request, "Billing details saved. They apply to invoices that are not final.")
    return back_to(request, PAGE, slug)


@require_safe
@login_required
def invoice(request: SignedInRequest, slug: str, invoice_id: int) -> HttpResponse:
    """One of the organization's invoices or credit notes."""
    access = open_for_owner(request, slug)
    found = _invoice_of(access, invoice_id)
    context = {
        "frame": organization_frame(access, page=PAGE, switch_to=PAGE),
        "organization": access.organization,
        "invoice": found,
        "document": document_of(found),
    }
    return render(request, "billing/invoice.html", context)


@require_safe
@login_required
def pdf(request: SignedInRequest, slug: str, invoice_id: int) -> HttpResponse:
    """The same as PDF, to be saved."""
    access = open_for_owner(request, slug)
    return pdf_response(_invoice_of(access, invoice_id))


def pdf_response(invoice: Invoice) -> HttpResponse:
    """The invoice as a file that is named after its number."""
    name = f"{invoice.number or f'draft-{invoice.month:%Y-%m}'}.pdf"
    return HttpResponse(
        invoice_pdf(document_of(invoice)),
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def open_for_owner(request: SignedInRequest, slug: str) -> Access:
    """The owner's access to the organization. Raises PermissionDenied, with the reason, for its other members."""
    access = open_organization(request, slug)
    if not access.is_owner:
        raise PermissionDenied("Only owners can see the organization's invoices and budget, and change its billing.")
    return access


def _invoice_of(access: Access, invoice_id: int) -> Invoice:
    return find_seen(Invoice.objects.filter(payer=access.organization).select_related("corrects"), pk=invoice_id)


def billing_page(request: SignedInRequest, access: Access, **forms: BaseForm) -> HttpResponse:
    """The page; a form that was refused stands in it with what was sent."""
    organization = access.organization
    context: dict[str, Any] = {
        "frame": organization_frame(access, page=PAGE, switch_to=PAGE),
        "access": access,
        "report": billing_report(access, request.GET, database_now()),
    }
    if access.is_owner:
        details = BillingDetails.objects.filter(organization=organization).first()
        context["details_form"] = BillingDetailsForm(instance=details)
        pages = webhooks_of(access)
        context |= {"webhook_form": pages.form(), **pages.context(request.GET)}
    return render(request, "billing/billing.html", {**context, **forms})
