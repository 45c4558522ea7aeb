"""Webhooks and chats of an organization, and what was sent to it: pages and forms for owners."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.pages.posting import post_only
from billing.pages.organization_views import PAGE, billing_page, open_for_owner
from billing.pages.webhook_pages import MOST_MESSAGES, ORGANIZATION, WebhookPages, spend_a_change, webhooks_of


@post_only(PAGE, "slug")
@login_required
def add_webhook(request: SignedInRequest, slug: str) -> HttpResponse:
    """Send news to an address: signed with a secret that the next page shows, once, or to a chat."""
    access = open_for_owner(request, slug)
    pages = webhooks_of(access)
    spend_a_change(request)
    form = pages.form(request.POST)
    endpoint = pages.add(request, form) if form.is_valid() else None
    return pages.added(request, endpoint) if endpoint else billing_page(request, access, webhook_form=form)


@require_safe
@never_cache
@login_required
def webhook_secret(request: SignedInRequest, slug: str, endpoint_id: int) -> HttpResponse:
    """The secret of a new webhook, the one time that it is shown; afterwards, that it was."""
    access = open_for_owner(request, slug)
    return webhooks_of(access).secret_page(request, endpoint_id, _context(access))


@post_only(PAGE, "slug")
@login_required
def webhook_removal(request: SignedInRequest, slug: str, endpoint_id: int) -> HttpResponse:
    """Send nothing more to an address."""
    return _pages(request, slug).remove(request, endpoint_id)


@post_only(PAGE, "slug")
@login_required
def webhook_activation(request: SignedInRequest, slug: str, endpoint_id: int) -> HttpResponse:
    """Send again to an address that was switched off because nothing reached it."""
    return _pages(request, slug).switch_on(request, endpoint_id)


@post_only(PAGE, "slug")
@login_required
def webhook_test(request: SignedInRequest, slug: str, endpoint_id: int) -> HttpResponse:
    """Send a message that says that it is a test."""
    return _pages(request, slug).send_test(request, endpoint_id)


@require_safe
@login_required
def sent_messages(request: SignedInRequest, slug: str) -> HttpResponse:
    """The last messages to owners and webhooks, newest first: what, to whom, and how it went."""
    access = open_for_owner(request, slug)
    more = {"rows": webhooks_of(access).sent(), "most": MOST_MESSAGES, "may_change": access.may_change}
    return render(request, "billing/messages.html", _context(access) | more)


@post_only(ORGANIZATION.messages, "slug")
@login_required
def message_again(request: SignedInRequest, slug: str, delivery_id: int) -> HttpResponse:
    """Send a message once more."""
    return _pages(request, slug).send_again(request, delivery_id)


def _pages(request: SignedInRequest, slug: str) -> WebhookPages:
    return webhooks_of(open_for_owner(request, slug))


def _context(access: Access) -> dict[str, Any]:
    frame = organization_frame(access, page=PAGE, switch_to=PAGE)
    return {"frame": frame, "organization": access.organization}
