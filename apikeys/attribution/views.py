"""What a key's usage is for: a page for the person whose key it is, and for owners and admins of the organization."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts import limits
from accounts.access import Access, find_seen, judge_again, open_organization
from accounts.audit.audit import actor_of
from accounts.changes import routing_change
from accounts.clock import database_now
from accounts.limits import LimitReachedError
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.projects.attributes import AttributeRefusedError, InvalidValueError
from apikeys.attribution.attribution import (
    SHOWN,
    AttributionRefusedError,
    ChangedMeanwhileError,
    Chosen,
    ProjectRefusedHereError,
    current_of,
    history_of,
    reason_against,
    set_attribution,
    version_of,
)
from apikeys.attribution.forms import PREFIX, AttributionForm
from apikeys.keys.listing import keys_seen_by
from apikeys.models import APIKey

PAGE = "apikeys:attribution"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def attribution(request: SignedInRequest, slug: str, public_id: str) -> HttpResponse:
    """The project and values of a key, with their history; POST chooses others from now on."""
    access, api_key = _opened(request, slug, public_id)
    chosen = current_of(api_key, access.organization)
    data = request.POST if request.method == "POST" else None
    form = AttributionForm(data, organization=access.organization, chosen=chosen)
    refusal = None
    if form.is_bound and form.is_valid():
        try:
            changed = _choose(request, slug, public_id, form)
        except LimitReachedError as error:
            form.add_error(None, str(error))
            refusal = error
        except ChangedMeanwhileError as error:
            form = _with_what_is_now(form, access, api_key)
            form.add_error(None, str(error))
        except InvalidValueError as error:
            form.add_error(PREFIX + error.name, str(error))
        except ProjectRefusedHereError as error:
            form.add_error("project", str(error))
        except (AttributionRefusedError, AttributeRefusedError) as error:
            form.add_error(None, str(error))
        else:
            address = reverse(PAGE, args=[slug, public_id])
            return redirect(f"{address}?changed={_version(access, api_key)}" if changed else address)
    return limits.answer(_page(request, access, api_key, form), refusal)


def _opened(request: SignedInRequest, slug: str, public_id: str) -> tuple[Access, APIKey]:
    access = open_organization(request, slug)
    return access, find_seen(keys_seen_by(access).select_related("user"), public_id=public_id)


def _choose(request: SignedInRequest, slug: str, public_id: str, form: AttributionForm) -> bool:
    _, api_key = _opened(request, slug, public_id)
    with routing_change(api_key.user, by=request.user) as now:
        access, api_key = _opened(request, slug, public_id)  # whoever may, may now
        judge_again(access)
        return set_attribution(
            api_key=api_key,
            organization=access.organization,
            project=form.chosen_project,
            attributes=form.chosen_values,
            now=now,
            replaces=form.cleaned_data["replaces"],
            actor=actor_of(request),
        )


def _with_what_is_now(form: AttributionForm, access: Access, api_key: APIKey) -> AttributionForm:
    """The same form with what the person typed, which may now be saved over what another has chosen."""
    chosen = current_of(api_key, access.organization)
    data = {**form.data.dict(), "replaces": str(version_of(chosen))}  # type: ignore[attr-defined] # a QueryDict
    again = AttributionForm(data, organization=access.organization, chosen=chosen)
    again.is_valid()
    return again


def _version(access: Access, api_key: APIKey) -> int:
    return version_of(current_of(api_key, access.organization))


def _page(request: SignedInRequest, access: Access, api_key: APIKey, form: AttributionForm) -> HttpResponse:
    history = history_of(api_key, access.organization)
    is_own = api_key.user_id == request.user.pk
    context = {
        "frame": organization_frame(access, page="apikeys:projects", switch_to="accounts:organization"),
        "access": access,
        "organization": access.organization,
        "api_key": api_key,
        "is_own": is_own,
        "counts_elsewhere": api_key.user.default_organization_id != access.organization.pk,
        "reason_against": reason_against(api_key, access.organization, now=database_now()),
        "form": form,
        "history": history,
        "most_changes": SHOWN,
        "undo": _undo(request, access, history),
    }
    return render(request, "apikeys/attribution.html", context)


def _undo(request: SignedInRequest, access: Access, history: list[Chosen]) -> dict[str, object] | None:
    """What a form has to send to take back the change that was just made; None if none was, or another came after it."""
    latest = history[0]
    if request.method == "POST" or latest.row is None or request.GET.get("changed") != str(latest.row.pk):
        return None
    before = AttributionForm(None, organization=access.organization, chosen=history[1].row)
    return {"at": latest.since, "fields": {**before.initial, "replaces": latest.row.pk}}
