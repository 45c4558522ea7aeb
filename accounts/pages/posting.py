"""Addresses that only take what a form sends."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect

View = Callable[..., HttpResponse]


def post_only(page: str, *names: str) -> Callable[[View], View]:
    """A view for POST. Whoever reads its address (a reload after a refused form, a bookmark) is led to the page with the form.

    `names` are the parts of the address that the page has too. Nobody learns from the redirect whether they exist.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **parts: Any) -> HttpResponse:
            if request.method == "POST":
                return view(request, **parts)
            if request.method in ("GET", "HEAD"):
                back: HttpResponse = redirect(page, **{name: parts[name] for name in names})
                return back
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

        return guarded

    return guard
