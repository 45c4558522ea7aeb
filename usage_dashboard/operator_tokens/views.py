"""Staff's page of operator tokens: which there are, a new one, and the end of one. For others it does not exist."""

from typing import Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import find_seen
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.clock import database_now
from accounts.installation import shown_once
from accounts.pages.frame import SignedInRequest, user_frame
from apikeys.keys.keys import InvalidNameError
from apikeys.models import OperatorToken
from apikeys.operatortokens.operatortokens import create_operator_token, revoke_operator_token
from billing.pages.staff_views import staff_only
from usage_dashboard.operator_tokens.forms import NewOperatorTokenForm

PAGE: Final = "operator_tokens:list"
SEES: Final = "apikeys.view_operatortoken"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@staff_only(SEES, to_change="apikeys.add_operatortoken")
def operator_tokens(request: SignedInRequest) -> HttpResponse:
    """The tokens; POST makes another one and leads to the page that shows its secret."""
    form = NewOperatorTokenForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _list_page(request, form)
    try:
        with change(by=request.user) as now:
            token, new = create_operator_token(
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                now=now,
                expires_at=form.expires_at(now),
                actor=actor_of(request),
            )
    except InvalidNameError as error:
        form.add_error("name", str(error))
        return _list_page(request, form)
    shown_once.keep(request, token.public_id, new)
    return redirect("operator_tokens:secret", token.public_id)


@require_safe
@never_cache
@staff_only(SEES)
def secret(request: SignedInRequest, public_id: str) -> HttpResponse:
    """The secret of a new token, the one time that it is shown, to whoever made it; afterwards, that it was."""
    token = _usable(public_id)
    shown = shown_once.take(request, token.public_id) if request.method == "GET" else None
    return _page(request, "secret", {"token": token, "secret": shown})


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only(SEES, to_change="apikeys.change_operatortoken")
def revocation(request: SignedInRequest, public_id: str) -> HttpResponse:
    """The question before a token is revoked; POST revokes it."""
    token = _usable(public_id)
    if request.method != "POST":
        return _page(request, "revocation", {"token": token})
    with change(by=request.user) as now:
        revoke_operator_token(token=token, now=now, actor=actor_of(request))
    messages.success(request, f"“{token.name}” was revoked at {now:%H:%M:%S} UTC.")
    return redirect(PAGE)


def _usable(public_id: str) -> OperatorToken:
    return find_seen(OperatorToken.objects.filter(revoked_at__isnull=True), public_id=public_id)


def _list_page(request: SignedInRequest, form: NewOperatorTokenForm) -> HttpResponse:
    now, tokens = database_now(), OperatorToken.objects.select_related("created_by").order_by("-created_at", "-id")
    usable = [(one, one.expires_at is not None and one.expires_at <= now) for one in tokens if one.revoked_at is None]
    return _page(
        request, "tokens", {"form": form, "usable": usable, "revoked": [one for one in tokens if one.revoked_at]}
    )


def _page(request: SignedInRequest, template: str, context: dict[str, object]) -> HttpResponse:
    frame = user_frame(request.user, page=PAGE)
    return render(request, f"operator_tokens/{template}.html", {"frame": frame, **context})
