"""The two pages of the Usage tab: one door, one form, one frame; only the report differs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.contrib.messages import get_messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.cache import get_conditional_response

from accounts.access import open_organization
from accounts.pages.frame import SignedInRequest, organization_frame
from accounts.periods import parse_month
from metering.pages.filter_form import FilterForm, read_filter_form
from metering.pages.first_event import first_event_command
from metering.pages.page_version import PageState, Shown, entity_tag, read_page_state
from metering.pages.parts import Asked, bar_of, page_address
from metering.usage.groupings import View


@dataclass(frozen=True)
class UsagePage:
    """`also_shown` is what the page shows beside usage and names: models, each with its column of the organization."""

    name: str
    view: View
    template: str
    report: Callable[[Asked], object]
    also_shown: tuple[Shown, ...] = ()


def show(request: SignedInRequest, slug: str, page: UsagePage) -> HttpResponse:
    """The page, or 304 for a page that asks with its tag whether anything changed."""
    access = open_organization(request, slug)
    ids = [organization.id for organization in access.organizations]
    state = read_page_state(ids, _month_hint(request.GET), page.also_shown)
    form = read_filter_form(request.GET, access=access, today=state.now.date(), view=page.view)
    address = page_address(page.name, access.organization, form)
    frame = organization_frame(access, page="metering:activity", switch_to=page.name, query=address.view_query)
    asked = Asked(access, form, address, state.now)
    # The state of the whole organization would tell those who see their own usage alone when others use the API.
    shown = page.report(asked) if form.own_usage_only else None
    seen = shown if form.own_usage_only else state.version
    tag = entity_tag(request.get_full_path(), request.session.session_key, access, frame, form, seen, state.now.date())
    response = _not_modified(request, tag) or render(
        request,
        page.template,
        {
            "frame": frame,
            "access": access,
            "form": form,
            "bar": bar_of(access, form, address, form.groups),
            "report": shown if form.own_usage_only else page.report(asked),
            "first_event": first_event_command(state.now),
            "complete_through": state.complete_through,
            "live_tag": tag if _is_live(form, state) else "",
        },
    )
    response.headers["ETag"] = tag
    response.headers["X-Complete-Through"] = f"{state.complete_through:%Y-%m-%dT%H:%M:%SZ}"
    return response


def _not_modified(request: SignedInRequest, tag: str) -> HttpResponse | None:
    """304 if the reader's copy is current and no message waits to be shown."""
    if len(get_messages(request)):
        return None
    answer = get_conditional_response(request, etag=tag)
    return answer if isinstance(answer, HttpResponse) else None


def _is_live(form: FilterForm, state: PageState) -> bool:
    """Whether usage still comes in for what is shown."""
    return form.is_current_month and form.day in (None, state.now.date())


def _month_hint(data: QueryDict) -> date | None:
    """The month that the query string means, as far as can be told before it is read: enough to look at its version."""
    month = parse_month(data.get("month") or data.get("day", "")[:7])
    return month.start if month else None
