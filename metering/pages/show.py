"""The two pages of the Usage tab: one door, one form, one frame; only the report differs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.utils.safestring import SafeString

from accounts.access import open_organization
from accounts.pages.frame import SignedInRequest, organization_frame
from metering.pages.filter_form import FilterForm, asked_month, read_filter_form
from metering.pages.first_event import first_event_command
from metering.pages.freshness.kept_reports import KEPT
from metering.pages.freshness.page_version import PageState, Shown, entity_tag, read_page_state
from metering.pages.parts import Asked, Bar, bar_of, page_address
from metering.usage.groupings import View
from metering.usage.queries import Step


@dataclass(frozen=True)
class UsagePage:
    """`template` is that of the page, `report_template` that of what `report` makes. `also_shown` is what the page shows beside
    usage and names."""

    name: str
    view: View
    template: str
    report_template: str
    report: Callable[[Asked], object]
    also_shown: tuple[Shown, ...] = ()


def show(request: SignedInRequest, slug: str, page: UsagePage) -> HttpResponse:
    """The page, or 304 for a page that asks with its tag whether anything changed."""
    access = open_organization(request, slug)
    ids = [organization.id for organization in access.organizations]
    state = read_page_state(ids, asked_month(request.GET), page.also_shown)
    form = read_filter_form(request.GET, access=access, today=state.now.date(), view=page.view)
    address = page_address(page.name, access.organization, form)
    frame = organization_frame(access, page="metering:activity", switch_to=page.name, query=address.view_query)
    bar = bar_of(access, form, address, form.groups)
    report = _Report(page, Asked(access, form, address, state.now), bar, state)
    tag = entity_tag(request.get_full_path(), request.session.session_key, access, frame, report.seen)
    context = {
        "frame": frame,
        "access": access,
        "form": form,
        "bar": bar,
        "report": report.html,
        "complete_through": state.complete_through,
        "live_tag": tag if _is_live(form, state) else "",
    }
    response = _not_modified(request, tag) or render(request, page.template, context)
    response.headers["ETag"] = tag
    response.headers["X-Complete-Through"] = f"{state.complete_through:%Y-%m-%dT%H:%M:%SZ}"
    return response


class _Report:
    """What is under the bar: made when it is needed, and once for all who see the same.

    Readers of their own usage alone have one of their own. The state of the whole organization would tell them when others
    use the API: what they have seen is what the report says, and nothing else.
    """

    def __init__(self, page: UsagePage, asked: Asked, bar: Bar, state: PageState) -> None:
        self._page = page
        self._asked = asked
        self._bar = bar
        self._own = self._make() if asked.form.own_usage_only else None
        self.seen: Any = self._own or (page.name, asked.form, _moment(asked.form, state.now), state.version)

    def html(self) -> SafeString:
        if self._own is not None:
            return self._own
        access = self._asked.access
        return KEPT.get(entity_tag(access.organization.pk, access.role, self._asked.address, self.seen), self._make)

    def _make(self) -> SafeString:
        asked = self._asked
        context = {
            "organization": asked.access.organization,
            "form": asked.form,
            "bar": self._bar,
            "report": self._page.report(asked),
            "first_event": first_event_command(asked.now.replace(second=0, microsecond=0)),
        }
        return render_to_string(self._page.report_template, context)


def _moment(form: FilterForm, now: datetime) -> str:
    """As much of the time as a report says: what is open has a bar for each hour or minute that has begun."""
    if form.day != now.date():
        return f"{now:%Y-%m-%d}"
    return f"{now:%Y-%m-%d %H}" if form.query.step == Step.HOUR else f"{now:%Y-%m-%d %H:%M}"


def _not_modified(request: SignedInRequest, tag: str) -> HttpResponse | None:
    """304 if the reader's copy is current and no message waits to be shown."""
    if len(get_messages(request)):
        return None
    answer = get_conditional_response(request, etag=tag)
    return answer if isinstance(answer, HttpResponse) else None


def _is_live(form: FilterForm, state: PageState) -> bool:
    """Whether usage still comes in for what is shown."""
    return form.is_current_month and form.day in (None, state.now.date())
