"""Staff's page of operator tokens: which there are, a new one, and the end of one. For others it does not exist."""

from typing import Any, Final

from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import find_seen
from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.pages.frame import SignedInRequest, user_frame
from accounts.staff.doors import staff_only
from apikeys.adminkeys.pages import SecretPages, Words
from apikeys.keys.keys import InvalidNameError
from apikeys.models import OperatorToken
from apikeys.operatortokens.operatortokens import create_operator_token, revoke_operator_token
from usage_dashboard.operator_tokens.forms import NewOperatorTokenForm

SEES: Final = "apikeys.view_operatortoken"
MAKES: Final = "apikeys.add_operatortoken"
REVOKES: Final = "apikeys.change_operatortoken"
PAGES: Final = SecretPages(
    Words("an", "operator token", "token", "May do"),
    template="operator_tokens.html",
    list="operator_tokens:list",
    secret="operator_tokens:secret",  # noqa: S106 - the name of an address
    revocation="operator_tokens:revocation",
)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@staff_only(SEES, to_change=MAKES)
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
    return PAGES.made(request, token, new)


@require_safe
@never_cache
@staff_only(SEES)
def secret(request: SignedInRequest, public_id: str) -> HttpResponse:
    """The secret of a new token, the one time that it is shown, to whoever made it; afterwards, that it was."""
    row = _usable(public_id)
    return PAGES.secret_page(request, _context(request), row=row, opens=f"It may do: {', '.join(row.scopes)}.")


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only(SEES, to_change=REVOKES)
def revocation(request: SignedInRequest, public_id: str) -> HttpResponse:
    """The question before a token is revoked; POST revokes it."""
    token = _usable(public_id)
    if request.method != "POST":
        return PAGES.question(request, _context(request), row=token)
    with change(by=request.user) as now:
        revoke_operator_token(token=token, now=now, actor=actor_of(request))
    return PAGES.revoked(request, token, now)


def _usable(public_id: str) -> OperatorToken:
    return find_seen(OperatorToken.objects.filter(revoked_at__isnull=True), public_id=public_id)


def _list_page(request: SignedInRequest, form: NewOperatorTokenForm) -> HttpResponse:
    rows = OperatorToken.objects.select_related("created_by").order_by("-created_at", "-id")
    may_make, may_revoke = request.user.has_perm(MAKES), request.user.has_perm(REVOKES)
    return PAGES.list_page(request, _context(request), rows=rows, form=form, may_make=may_make, may_revoke=may_revoke)


def _context(request: SignedInRequest) -> dict[str, Any]:
    return {"frame": user_frame(request.user, page=PAGES.list)}
