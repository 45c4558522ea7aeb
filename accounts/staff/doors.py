"""The door of staff's pages. For others they do not exist."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse

from accounts.pages.frame import SignedInRequest
from accounts.staff.second_factor import lacks_second_factor, second_factor_page

View = Callable[..., HttpResponse]


def staff_only(right: str = "", *, to_change: str = "") -> Callable[[View], View]:
    """Signs in first; 404 for everyone who is not staff, the way to a second factor for staff that
    has none, and 403 for staff without the right, or that for a POST. Without a right it
    opens to all staff."""

    def guard(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: SignedInRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_staff:
                raise Http404("There is no such page.")
            if lacks_second_factor(request.user):
                return second_factor_page(request)
            needed = to_change if to_change and request.method == "POST" else right
            if needed and not request.user.has_perm(needed):
                raise PermissionDenied(
                    "Your staff account doesn't have permission for this. Ask whoever manages staff accounts."
                )
            return view(request, *args, **kwargs)

        return guarded

    return guard
