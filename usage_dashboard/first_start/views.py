"""From an empty installation to the first event on a page: for whoever has the code, while nobody is staff."""

import json
from datetime import datetime
from typing import Final

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.clock import database_now
from accounts.installation import shown_once
from accounts.installation.site import address_of
from accounts.organizations.organizations import EmailTakenError
from accounts.pages.frame import SignedInRequest, user_frame
from usage_dashboard.first_start import setting_up
from usage_dashboard.first_start.forms import FirstStartForm
from usage_dashboard.first_start.setting_up import SetUp, SetUpAlreadyError, WrongCodeError

KEPT: Final = "first event"
BACKEND: Final = "allauth.account.auth_backends.AuthenticationBackend"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def first_start(request: HttpRequest) -> HttpResponse:
    """The form; POST sets the installation up and signs its first person in. Afterwards it leads to signing in."""
    if not setting_up.is_open():
        return redirect("account_login")
    form = FirstStartForm(request.POST if request.method == "POST" else None, initial={"code": request.GET.get("code")})
    if form.is_bound and form.is_valid():
        made = _set_up(form)
        if made is not None:
            login(request, made.user, backend=BACKEND)
            shown_once.keep(request, KEPT, first_event(made, database_now()))
            return redirect("first_event")
    return render(request, "first_start/form.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@never_cache
@login_required
def first_event_page(request: SignedInRequest) -> HttpResponse:
    """The command that sends the first event, shown once, and what is left to do."""
    if not request.user.is_staff or request.user.default_organization is None:
        return redirect("metering:usage")
    command = shown_once.take(request, KEPT) if request.method == "GET" else None
    context = {
        "frame": user_frame(request.user, page="accounts:profile"),
        "command": command,
        "organization": request.user.default_organization,
    }
    return render(request, "first_start/first_event.html", context)


def first_event(made: SetUp, now: datetime) -> str:
    """A command for a shell, with the token in it, that reports one request of the first key."""
    event = {
        "id": f"first-{now:%Y%m%d%H%M%S}",
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "api_key_id": made.api_key.public_id,
        "usage_type": "completions",
        "model": "gpt-4o-mini",
        "input_tokens": 1200,
        "output_tokens": 300,
    }
    return (
        f"curl -X POST {address_of('/v1/usage/events')} \\\n"
        f"  -H 'Authorization: Bearer {made.token}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps(event)}'"
    )


def _set_up(form: FirstStartForm) -> SetUp | None:
    """What was made; None, with the reason in the form, where nothing could be."""
    given = form.cleaned_data
    try:
        return setting_up.set_up(
            given=given["code"],
            email=given["email"],
            name=given["name"],
            password=given["password"],
            organization=given["organization"],
        )
    except WrongCodeError:
        form.add_error("code", "This is not the code that was printed. Start again, or run manage.py first_start.")
    except SetUpAlreadyError:
        form.add_error(None, "Somebody else has just set this installation up. Ask them to invite you.")
    except EmailTakenError as error:
        form.add_error("email", str(error))
    return None
