"""Staff's home with what is left to set up, and the state of the installation."""

from collections.abc import Callable
from typing import Final

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.audit.audit import actor_of
from accounts.changes import change
from accounts.pages.frame import SignedInRequest, user_frame
from accounts.pages.posting import post_only
from accounts.staff.doors import staff_only
from usage_dashboard.overview import checklist
from usage_dashboard.overview.checklist import Step, UnknownStepError
from usage_dashboard.overview.state import state

HOME: Final = "overview:home"
STATE: Final = "overview:state"
SEES_STATE: Final = "metering.view_ingestcount"
CHANGES: Final = "usage_dashboard.add_dismissedstep"


@require_safe
@never_cache
@staff_only()
def home(request: SignedInRequest) -> HttpResponse:
    """What is left to set up, how the installation is, and where everything is."""
    found = state()
    context = {
        "frame": user_frame(request.user, page=HOME),
        "state": found,
        "sees_state": request.user.has_perm(SEES_STATE),
        "checklist": checklist.checklist(found),
        "may_dismiss": request.user.has_perm(CHANGES),
    }
    return render(request, "overview/home.html", context)


@require_safe
@never_cache
@staff_only(SEES_STATE)
def installation_state(request: SignedInRequest) -> HttpResponse:
    """Everything that `manage.py doctor` looks at, as it is."""
    context = {"frame": user_frame(request.user, page=STATE), "state": state()}
    return render(request, "overview/state.html", context)


@post_only(HOME)
@staff_only(CHANGES)
def dismissal(request: SignedInRequest, step: str) -> HttpResponse:
    """A step that this installation does without."""
    with change(by=request.user) as now:
        done = _changed(lambda: checklist.dismiss(step, by=request.user, now=now, actor=actor_of(request)))
    messages.success(request, f"“{done.title}” is dismissed. It is at the end of the list.")
    return redirect(HOME)


@post_only(HOME)
@staff_only(CHANGES)
def taking_back(request: SignedInRequest, step: str) -> HttpResponse:
    """A dismissed step is on the list again."""
    with change(by=request.user):
        done = _changed(lambda: checklist.take_back(step, actor=actor_of(request)))
    messages.success(request, f"“{done.title}” is on the list again.")
    return redirect(HOME)


def _changed(act: Callable[[], Step]) -> Step:
    try:
        return act()
    except UnknownStepError as error:
        raise Http404("There is no such step.") from error
