"""The pages of secrets that people make for programs, such as admin keys and operator tokens: the list with the form of a new
one, the page that shows its secret once, and the question before it ends. The kinds differ in their words and addresses.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.clock import database_now
from accounts.installation import shown_once
from accounts.pages.frame import SignedInRequest
from accounts.pages.lists import page_of
from accounts.pages.posting import back_to


@dataclass(frozen=True)
class Words:
    """What the pages call a kind: 'an' 'admin key', and 'key' for short. `may` is over its scopes; empty if it has none."""

    article: str
    full: str
    thing: str
    may: str = ""


@dataclass(frozen=True)
class Listed:
    """A secret that is not revoked, and where it can be, for those who may."""

    row: Any
    is_expired: bool
    revocation: str


@dataclass(frozen=True)
class SecretPages:
    """The pages of one kind. `list`, `secret` and `revocation` are names of addresses; `template` is that of the list."""

    words: Words
    template: str
    list: str
    secret: str
    revocation: str

    def list_page(  # noqa: PLR0913 - what a page is made of
        self,
        request: SignedInRequest,
        context: dict[str, Any],
        *place: str,
        rows: "QuerySet[Any]",
        form: Form,
        may_make: bool = True,
        may_revoke: bool = True,
    ) -> HttpResponse:
        """A page of those that are not revoked, and one of those that are, in their order. `place` is what their addresses
        begin with, such as an organization's slug."""
        now = database_now()
        page = page_of(rows.filter(revoked_at__isnull=True), request.GET)

        def shown(row: Any) -> Listed:
            revocation = reverse(self.revocation, args=[*place, row.public_id]) if may_revoke else ""
            return Listed(row, row.expires_at is not None and row.expires_at <= now, revocation)

        said = {
            "form": form,
            "may_make": may_make,
            "page": page,
            "usable": [shown(row) for row in page.rows],
            "revoked": page_of(rows.filter(revoked_at__isnull=False), request.GET, name="revoked"),
            "is_revoked_asked": "revoked" in request.GET,
        }
        return self._render(request, self.template, context | said, place)

    def made(self, request: SignedInRequest, row: Any, secret: str, *place: str) -> HttpResponse:
        """To the page that shows the secret of a new one."""
        shown_once.keep(request, row.public_id, secret)
        return redirect(self.secret, *place, row.public_id)

    def secret_page(
        self, request: SignedInRequest, context: dict[str, Any], *place: str, row: Any, opens: str
    ) -> HttpResponse:
        """The secret of a new one, the one time that it is shown; afterwards, that it was. `opens` says what it is for."""
        secret = shown_once.take(request, row.public_id) if request.method == "GET" else None
        said = {"row": row, "secret": secret, "opens": opens}
        return self._render(request, "secrets/secret.html", context | said, place)

    def question(self, request: SignedInRequest, context: dict[str, Any], *place: str, row: Any) -> HttpResponse:
        """Whether it shall end."""
        return self._render(request, "secrets/revocation.html", context | {"row": row}, place)

    def revoked(self, request: SignedInRequest, row: Any, now: datetime, *place: str) -> HttpResponse:
        """Back to the list, which says that it ended `now`."""
        messages.success(request, f"“{row.name}” was revoked at {now:%H:%M:%S} UTC.")
        return back_to(request, self.list, *place)

    def _render(
        self, request: SignedInRequest, template: str, context: dict[str, Any], place: tuple[str, ...]
    ) -> HttpResponse:
        said = {"words": self.words, "list_address": reverse(self.list, args=place)}
        return render(request, template, context | said)
