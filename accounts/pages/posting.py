"""Addresses that only take what a form sends, and the way back from there."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse

from accounts.pages.lists import place_of

View = Callable[..., HttpResponse]


def back_to(request: HttpRequest, page: str, *args: object, **more: str) -> HttpResponse:
    """To the page of this name, where in its lists the form was sent from (`place_of`). `more` are parameters beside that."""
    return redirect(f"{reverse(page, args=args)}{place_of(request.GET, **more)}")


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
                return back_to(request, page, *(parts[name] for name in names))
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

        return guarded

    return guard
