"""The Customers page of the operator's staff: every organization, and how it stands. For others it does not exist."""

from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.clock import database_now
from accounts.pages.frame import SignedInRequest, user_frame
from accounts.pages.lists import page_of
from accounts.staff.doors import staff_only
from billing.pages.customers.customers import customers, find_ids

PAGE: Final = "billing:customers"
SEES: Final = "billing.view_invoice"
MAX_WORDS: Final = 200


@require_safe
@staff_only(SEES)
def customer_list(request: SignedInRequest) -> HttpResponse:
    """Organizations by this month's spend; `?q=` finds some of them."""
    words = request.GET.get("q", "").replace("\0", "").strip()[:MAX_WORDS]
    now = database_now()
    page = page_of(find_ids(words, now), request.GET)
    context = {
        "frame": user_frame(request.user, page=PAGE),
        "search": words,
        "page": page,
        "customers": customers(page.rows, now),
        "month": now.date(),
    }
    return render(request, "billing/customers.html", context)
