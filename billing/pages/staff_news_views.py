"""News: where the operator's staff hears of what goes wrong, and what was sent there. For others the pages do not exist."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.pages.frame import SignedInRequest, user_frame
from accounts.pages.posting import post_only
from accounts.staff.doors import staff_only
from billing.notices.endpoints import CHANGES, SEES
from billing.pages.forms import WebhookForm
from billing.pages.webhook_pages import MOST_MESSAGES, STAFF, WebhookPages, spend_a_change

PAGES = WebhookPages()


@require_safe
@staff_only(SEES)
def staff_news(request: SignedInRequest) -> HttpResponse:
    """The webhooks and chats of staff, and the last messages to them and by email."""
    return _page(request, PAGES.form())


@post_only(STAFF.page)
@staff_only(CHANGES)
def add_webhook(request: SignedInRequest) -> HttpResponse:
    """Send news to an address: signed with a secret that the next page shows, once, or to a chat."""
    spend_a_change(request)
    form = PAGES.form(request.POST)
    endpoint = PAGES.add(request, form) if form.is_valid() else None
    return PAGES.added(request, endpoint) if endpoint else _page(request, form)


@require_safe
@never_cache
@staff_only(CHANGES)
def webhook_secret(request: SignedInRequest, endpoint_id: int) -> HttpResponse:
    """The secret of a new webhook, the one time that it is shown; afterwards, that it was."""
    return PAGES.secret_page(request, endpoint_id, {"frame": user_frame(request.user, page=STAFF.page)})


@post_only(STAFF.page)
@staff_only(CHANGES)
def webhook_removal(request: SignedInRequest, endpoint_id: int) -> HttpResponse:
    """Send nothing more to an address."""
    return PAGES.remove(request, endpoint_id)


@post_only(STAFF.page)
@staff_only(CHANGES)
def webhook_activation(request: SignedInRequest, endpoint_id: int) -> HttpResponse:
    """Send again to an address that was switched off because nothing reached it."""
    return PAGES.switch_on(request, endpoint_id)


@post_only(STAFF.page)
@staff_only(CHANGES)
def webhook_test(request: SignedInRequest, endpoint_id: int) -> HttpResponse:
    """Send a message that says that it is a test."""
    return PAGES.send_test(request, endpoint_id)


@post_only(STAFF.page)
@staff_only(CHANGES)
def message_again(request: SignedInRequest, delivery_id: int) -> HttpResponse:
    """Send a message once more."""
    return PAGES.send_again(request, delivery_id)


def _page(request: SignedInRequest, form: WebhookForm) -> HttpResponse:
    may_change = request.user.has_perm(CHANGES)
    pages = WebhookPages(is_theirs=may_change)  # an address may be a secret
    context = {
        "frame": user_frame(request.user, page=STAFF.page),
        "form": form,
        "rows": pages.sent(),
        "most": MOST_MESSAGES,
        "may_change": may_change,
        **pages.context(request.GET),
    }
    return render(request, "billing/staff_news.html", context)
