"""The Billing page of an organization, its forms, and its invoices as page and PDF."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import limits
from accounts.access import Access, find_seen, open_organization
from accounts.audit import audit
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.clock import database_now
from accounts.installation import shown_once
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.posting import post_only
from billing.alerts import WebhookEndpoint
from billing.invoices.documents import document_of
from billing.invoices.pdf import invoice_pdf
from billing.models import BillingDetails, Invoice
from billing.notices import endpoints
from billing.pages.forms import BillingDetailsForm, WebhookForm
from billing.pages.organization_page import billing_report

PAGE = "billing:billing"
SHOWN = "billing:webhook_secret"


@require_safe
@login_required
def billing(request: SignedInRequest, slug: str) -> HttpResponse:
    """Invoices, credit, budget and billing details for owners; credit grants for admins."""
    access = open_organization(request.user, slug)
    if not access.is_admin:
        raise PermissionDenied("Only owners and admins can see the organization's billing.")
    return _page(request, access)


@post_only(PAGE, "slug")
@login_required
def details(request: SignedInRequest, slug: str) -> HttpResponse:
    """Change whom the next invoices are made out to."""
    access = open_for_owner(request, slug)
    found = BillingDetails.objects.filter(organization=access.organization).first()
    form = BillingDetailsForm(request.POST, instance=found or BillingDetails(organization=access.organization))
    if not form.is_valid():
        return _page(request, access, details_form=form)
    with change(by=request.user):
        form.save()
        _record(request, access, "billing_details.changed", fields=form.changed_data)
    messages.success(request, "Billing details saved. They apply to invoices that are not final.")
    return redirect(PAGE, slug)


@post_only(PAGE, "slug")
@login_required
def add_webhook(request: SignedInRequest, slug: str) -> HttpResponse:
    """Send budget thresholds and invoices to an address, signed with a secret that the next page shows, once."""
    access = open_for_owner(request, slug)
    limits.spend(request.user, limits.CHANGES)  # first, because the form looks up a host that its sender names
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return _page(request, access, webhook_form=form)
    try:
        endpoint = endpoints.add(access.organization, form.cleaned_data["url"], actor=actor_of(request))
    except endpoints.EndpointRefusedError as error:
        form.add_error("url", str(error))
        return _page(request, access, webhook_form=form)
    shown_once.keep(request, _kept_as(endpoint), endpoint.secret)
    return redirect(SHOWN, slug, endpoint.pk)


@require_safe
@never_cache
@login_required
def webhook_secret(request: SignedInRequest, slug: str, endpoint_id: int) -> HttpResponse:
    """The secret of a new webhook, the one time that it is shown; afterwards, that it was."""
    access = open_for_owner(request, slug)
    endpoint = _endpoint_of(access, endpoint_id)
    context = {
        "frame": organization_frame(access, page=PAGE, switch_to=PAGE),
        "organization": access.organization,
        "endpoint": endpoint,
        "secret": shown_once.take(request, _kept_as(endpoint)) if request.method == "GET" else None,
    }
    return render(request, "billing/webhook_secret.html", context)


@post_only(PAGE, "slug")
@login_required
def webhook_removal(request: SignedInRequest, slug: str, endpoint_id: int) -> HttpResponse:
    """Send nothing more to an address."""
    access = open_for_owner(request, slug)
    endpoint = _endpoint_of(access, endpoint_id)
    with change(by=request.user):
        endpoints.remove(endpoint, actor=actor_of(request))
    messages.success(request, "Webhook removed.")
    return redirect(PAGE, slug)


@post_only(PAGE, "slug")
@login_required
def webhook_activation(request: SignedInRequest, slug: str, endpoint_id: int) -> HttpResponse:
    """Send again to an address that was switched off because nothing reached it."""
    access = open_for_owner(request, slug)
    endpoint = _endpoint_of(access, endpoint_id)
    with change(by=request.user):
        endpoints.switch_on(endpoint, actor=actor_of(request))
    messages.success(request, f"Webhook switched on. New events are sent to {endpoint.url}.")
    return redirect(PAGE, slug)


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
    access = open_organization(request.user, slug)
    if not access.is_owner:
        raise PermissionDenied("Only owners can see the organization's invoices and budget, and change its billing.")
    return access


def _invoice_of(access: Access, invoice_id: int) -> Invoice:
    return find_seen(Invoice.objects.filter(payer=access.organization).select_related("corrects"), pk=invoice_id)


def _endpoint_of(access: Access, endpoint_id: int) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.filter(organization=access.organization, disabled_at__isnull=True)
    return find_seen(found.select_related("organization"), pk=endpoint_id)


def _kept_as(endpoint: WebhookEndpoint) -> str:
    return f"webhook {endpoint.pk}"


def _page(request: SignedInRequest, access: Access, **forms: BaseForm) -> HttpResponse:
    """The page; a form that was refused stands in it with what was sent."""
    organization = access.organization
    context = {
        "frame": organization_frame(access, page=PAGE, switch_to=PAGE),
        "access": access,
        "report": billing_report(access, database_now()),
    }
    if access.is_owner:
        details = BillingDetails.objects.filter(organization=organization).first()
        context["details_form"] = BillingDetailsForm(instance=details)
        context["webhook_form"] = WebhookForm()
    return render(request, "billing/billing.html", {**context, **forms})


def _record(request: SignedInRequest, access: Access, event: str, **details: object) -> None:
    organization = access.organization
    audit.record(
        event,
        actor=actor_of(request),
        organization=organization,
        target_id=organization.public_id,
        target_name=organization.name,
        details=details,
    )
