"""User settings, API keys and default organization: each person's own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import limits
from accounts.access import find_seen
from accounts.audit.audit import actor_of
from accounts.changes import change, routing_change
from accounts.clock import database_now
from accounts.installation import shown_once
from accounts.limits import LimitReachedError
from accounts.models import Organization, User
from accounts.organizations.organizations import NotAMemberError, set_default_organization
from accounts.pages.forms import DefaultOrganizationForm
from accounts.pages.frame import SignedInRequest, user_frame
from accounts.pages.lists import page_of, place_of, text_of, words_of
from accounts.pages.posting import back_to, post_only
from apikeys.keys import keys
from apikeys.keys.forms import NameForm, NewKeyForm, RotationForm, TrackingForm
from apikeys.keys.listing import ListedKey, index_of, listed, own_keys, working_keys
from apikeys.models import APIKey

PAGE = "apikeys:keys"
SHOWN = "apikeys:secret"
MOST_NAMED: Final = 20
"""Keys that a question names; of more it says how many."""


@dataclass(frozen=True)
class NamedKeys:
    """The newest of some keys, and how many more there are."""

    keys: tuple[APIKey, ...]
    num_more: int


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def api_keys(request: SignedInRequest) -> HttpResponse:
    """The list of keys; POST makes a new one and leads to the page that shows its secret."""
    form = NewKeyForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _list_page(request, form)
    try:
        api_key, new = _make(request, form)
    except LimitReachedError as error:
        form.add_error("name", str(error))
        return limits.answer(_list_page(request, form), error)
    shown_once.keep(request, api_key.public_id, new)
    return redirect(SHOWN, api_key.public_id)  # and from there to the first page, on which it is


@require_safe
@never_cache
@login_required
def secret(request: SignedInRequest, public_id: str) -> HttpResponse:
    """The secret that the key has just got, the one time that it is shown; afterwards, that it was."""
    api_key = _own_key(request, public_id)
    context = {
        "frame": user_frame(request.user, page=PAGE),
        "api_key": api_key,
        "secret": shown_once.take(request, api_key.public_id) if request.method == "GET" else None,
        "was_rotated": api_key.previous_expires_at is not None,
        "old_until": api_key.old_secret_until(database_now()),
    }
    return render(request, "apikeys/secret.html", context)


@post_only(PAGE)
@login_required
def tracking(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Tracking on or off from now on."""
    form = TrackingForm(request.POST)
    if not form.is_valid():
        return HttpResponse("Send “tracked=on” or “tracked=off”.", status=400, content_type="text/plain; charset=utf-8")
    try:
        with routing_change(request.user, by=request.user) as now:
            api_key = _own_key(request, public_id)
            changed = keys.set_tracking(
                api_key=api_key, tracked=form.cleaned_data["tracked"], now=now, actor=actor_of(request)
            )
    except LimitReachedError as error:
        return limits.answer(render(request, "apikeys/too_fast.html", {"refusal": error}), error)
    place = place_of(request.GET, **{"switched" if changed else "key": public_id})
    return redirect(f"{reverse(PAGE)}{place}#{public_id}")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def name(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Another name for a key."""
    api_key = _own_key(request, public_id)
    form = NameForm(request.POST if request.method == "POST" else None, initial={"name": api_key.name})
    if not form.is_bound or not form.is_valid():
        context = {"frame": user_frame(request.user, page=PAGE), "api_key": api_key, "form": form}
        return render(request, "apikeys/name.html", context)
    try:
        with change(by=request.user):
            keys.rename_api_key(api_key=api_key, name=form.cleaned_data["name"], actor=actor_of(request))
    except keys.KeyRevokedError as error:  # meanwhile
        raise Http404(str(error)) from error
    messages.success(request, f"Renamed to “{api_key.name}”, including in past usage.")
    return back_to(request, PAGE, key=public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def rotation(request: SignedInRequest, public_id: str) -> HttpResponse:
    """How to rotate; POST makes the new secret and leads to the page that shows it. Sent twice, it rotates once."""
    api_key = _own_key(request, public_id)
    form = RotationForm(request.POST if request.method == "POST" else None, api_key=api_key, now=database_now())
    if not form.is_bound or not form.is_valid():
        context = {"frame": user_frame(request.user, page=PAGE), "api_key": api_key, "form": form}
        return render(request, "apikeys/rotation.html", context)
    try:
        with routing_change(request.user, by=request.user) as now:
            api_key = _own_key(request, public_id)
            new = keys.rotate_api_key(
                api_key=api_key,
                overlap=form.overlap,
                now=now,
                replaces=form.cleaned_data["replaces"],
                actor=actor_of(request),
            )
    except keys.AlreadyRotatedError:
        return back_to(request, SHOWN, public_id)
    shown_once.keep(request, api_key.public_id, new)
    return back_to(request, SHOWN, public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def default_organization(request: SignedInRequest) -> HttpResponse:
    """What another default organization would change; POST makes it the default one from now on."""
    form = DefaultOrganizationForm(request.GET if request.method != "POST" else request.POST, user=request.user)
    if not form.is_valid():
        context = {"frame": user_frame(request.user, page="accounts:profile"), "form": form, "keys": []}
        return render(request, "apikeys/default_organization.html", context)
    organization = form.cleaned_data["organization"]
    if request.method != "POST":
        return _preview(request, organization)
    try:
        with routing_change(request.user, by=request.user) as now:
            user = User.objects.get(pk=request.user.pk)
            changed = set_default_organization(user=user, organization=organization, now=now, actor=actor_of(request))
    except NotAMemberError as error:
        messages.warning(request, str(error))
    else:
        if changed:
            messages.success(request, f"Default organization changed to {organization}.")
    return redirect("accounts:profile")


def _preview(request: SignedInRequest, organization: Organization) -> HttpResponse:
    now = database_now()
    usable = working_keys(request.user, now=now)
    context = {
        "frame": user_frame(request.user, page="accounts:profile"),
        "organization": organization,
        "before": request.user.default_organization,
        "tracked": _named(usable.filter(tracked=True)),
        "untracked": _named(usable.filter(tracked=False)),
    }
    return render(request, "apikeys/default_organization.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revocation(request: SignedInRequest, public_id: str) -> HttpResponse:
    """The question before a key is revoked; POST revokes it."""
    if request.method != "POST":
        context = {"frame": user_frame(request.user, page=PAGE), "api_key": _own_key(request, public_id)}
        return render(request, "apikeys/revocation.html", context)
    with routing_change(request.user, by=request.user) as now:
        api_key = _own_key(request, public_id)
        keys.revoke_api_key(api_key=api_key, now=now, actor=actor_of(request))
    messages.success(request, f"“{api_key.name}” was revoked at {now:%H:%M:%S} UTC.")
    return back_to(request, PAGE)


def _named(found: QuerySet[APIKey]) -> NamedKeys:
    keys = tuple(found[: MOST_NAMED + 1])
    num_more = found.count() - MOST_NAMED if len(keys) > MOST_NAMED else 0
    return NamedKeys(keys[:MOST_NAMED], num_more)


def _make(request: SignedInRequest, form: NewKeyForm) -> tuple[APIKey, str]:
    """A new key and its secret. Raises LimitReachedError."""
    with change(by=request.user) as now:
        keys.spend_new_key(user=request.user, now=now)
        return keys.create_api_key(
            user=request.user,
            name=form.cleaned_data["name"],
            created_at=now,
            expires_at=form.expires_at(now),
            actor=actor_of(request),
        )


def _own_key(request: SignedInRequest, public_id: str) -> APIKey:
    """The person's own key that is not revoked; any other does not exist for them."""
    return find_seen(APIKey.objects.filter(user=request.user, revoked_at__isnull=True), public_id=public_id)


def _list_page(request: SignedInRequest, form: NewKeyForm) -> HttpResponse:
    """The keys that work, page by page, and in a list of their own those that are revoked; `q` searches both."""
    now, words, switched = database_now(), words_of(request.GET), text_of(request.GET, "switched")
    found = own_keys(request.user, words)
    usable, revoked = found.filter(revoked_at__isnull=True), found.filter(revoked_at__isnull=False)
    index = index_of(usable, switched or text_of(request.GET, "key"))
    page = page_of(usable, request.GET, index=index)
    old = page_of(revoked, request.GET, name="revoked")
    context = {
        "frame": user_frame(request.user, page=PAGE),
        "form": form,
        "page": page,
        "usable": listed(request.user, page.rows, now=now),
        "old": old,
        "is_old_asked": "revoked" in request.GET,
        "search": words,
        "is_long": bool(words or page.place or old.place),
        "switched": _switched(request.user, switched, now),
        "default_organization": request.user.default_organization,
    }
    return render(request, "apikeys/keys.html", context)


def _switched(user: User, public_id: str, now: datetime) -> ListedKey | None:
    """The key whose tracking was just switched, if it was."""
    found = APIKey.objects.filter(user=user, public_id=public_id).first() if public_id else None
    shown = listed(user, [found], now=now) if found else []
    return next((key for key in shown if key.switched_at), None)
