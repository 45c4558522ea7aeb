"""Webhooks and chats of an organization, and what was sent to it: pages and forms for owners."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import limits
from accounts.access import Access, find_seen
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.installation import shown_once
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.posting import post_only
from billing.alerts import Delivery, WebhookEndpoint
from billing.notices import endpoints, outbox
from billing.pages.forms import WebhookForm
from billing.pages.organization_views import PAGE, billing_page, open_for_owner

SHOWN = "billing:webhook_secret"
MESSAGES = "billing:messages"
MOST_MESSAGES = 100


@post_only(PAGE, "slug")
@login_required
def add_webhook(request: SignedInRequest, slug: str) -> HttpResponse:
    """Send news to an address: signed with a secret that the next page shows, once, or to a chat, with a test at once."""
    access = open_for_owner(request, slug)
    limits.spend(request.user, limits.CHANGES)  # first, because the form looks up a host that its sender names
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return billing_page(request, access, webhook_form=form)
    try:
        endpoint = endpoints.add(
            access.organization,
            form.cleaned_data["url"],
            format=form.cleaned_data["format"],
            event_types=form.cleaned_data["event_types"],
            actor=actor_of(request),
        )
    except endpoints.EndpointRefusedError as error:
        form.add_error("url", str(error))
        return billing_page(request, access, webhook_form=form)
    if endpoint.is_chat:
        messages.success(
            request, f"Messages go to {endpoint.get_format_display()} from now on. Send a test to see one."
        )
        return redirect(PAGE, slug)
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


@post_only(PAGE, "slug")
@login_required
def webhook_test(request: SignedInRequest, slug: str, endpoint_id: int) -> HttpResponse:
    """Send a message that says that it is a test."""
    access = open_for_owner(request, slug)
    endpoint = _endpoint_of(access, endpoint_id)
    if endpoint.switched_off_at is not None:
        messages.error(request, "This webhook is switched off. Switch it on first.")
        return redirect(PAGE, slug)
    with change(by=request.user):
        outbox.test_message(endpoint)
    messages.success(request, "A test is on its way. It is the first in this list.")
    return redirect(MESSAGES, slug)


@require_safe
@login_required
def sent_messages(request: SignedInRequest, slug: str) -> HttpResponse:
    """The last messages to owners and webhooks, newest first: what, to whom, and how it went."""
    access = open_for_owner(request, slug)
    found = Delivery.objects.filter(organization=access.organization).select_related("endpoint")
    context = {
        "frame": organization_frame(access, page=PAGE, switch_to=PAGE),
        "organization": access.organization,
        "deliveries": found.order_by("-id")[:MOST_MESSAGES],
        "most": MOST_MESSAGES,
        "may_change": access.may_change,
    }
    return render(request, "billing/messages.html", context)


@post_only(MESSAGES, "slug")
@login_required
def message_again(request: SignedInRequest, slug: str, delivery_id: int) -> HttpResponse:
    """Send a message once more."""
    access = open_for_owner(request, slug)
    sent = Delivery.objects.filter(organization=access.organization).select_related("endpoint")
    delivery = find_seen(sent, pk=delivery_id)
    if delivery.endpoint and (delivery.endpoint.disabled_at or delivery.endpoint.switched_off_at):
        messages.error(request, "Its webhook is removed or switched off. Nothing was sent.")
        return redirect(MESSAGES, slug)
    if delivery.endpoint is None and not outbox.is_owner(access.organization, delivery.recipient):
        messages.error(request, "Its recipient is no owner any more. Nothing was sent.")
        return redirect(MESSAGES, slug)
    with change(by=request.user):
        is_new = outbox.send_again(delivery)
    if is_new:
        messages.success(request, f"The message to {delivery.recipient} is on its way again.")
    else:
        messages.info(request, "This message is still waiting to be sent.")
    return redirect(MESSAGES, slug)


def _endpoint_of(access: Access, endpoint_id: int) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.filter(organization=access.organization, disabled_at__isnull=True)
    return find_seen(found.select_related("organization"), pk=endpoint_id)


def _kept_as(endpoint: WebhookEndpoint) -> str:
    return f"webhook {endpoint.pk}"
