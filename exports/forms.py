"""What a person may ask an export for: a month or a range of days, and the filters of the open view."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from django.http import QueryDict

from accounts.access import Access
from accounts.periods import Period, month_of, parse_day, parse_month
from metering.pages.filter_form import read_filter_form
from metering.pages.query_strings import shortened
from metering.usage.groupings import View
from metering.usage.queries import UsageQuery

MAX_DAYS: Final = 60
RANGE: Final = ("month", "start", "end", "last")
SHOWN: Final = (
    "group",
    "group_by",
    "day",
    "hour",
    "list",
    "q",
    "page",
    "grant",
)  # what of an open view says nothing about its rows


class RefusedExportError(ValueError):
    """A range or a filter that cannot be exported; the message says why."""


def read_export_query(data: QueryDict, *, access: Access, today: date, view: View) -> UsageQuery:
    """The usage to export. Raises RefusedExportError, also for a filter that fits nothing: a page can say that it left
    one out, a file cannot."""
    period = read_period(data, today, max_days=MAX_DAYS)
    filters = data.copy()
    for name in (*RANGE, *SHOWN):
        filters.pop(name, None)
    form = read_filter_form(filters, access=access, today=today, view=view)
    if form.ignored:
        raise RefusedExportError(" ".join(form.ignored))
    return replace(form.query, period=period)


def read_period(data: QueryDict, today: date, *, max_days: int) -> Period:
    """`start` to before `end`, or to the `last` day, or a month; without any, the current month. Raises RefusedExportError."""
    if "last" in data:
        period = _range(data.get("start", ""), f"{_day('last', data.get('last', '')) + timedelta(days=1)}")
    elif "start" in data or "end" in data:
        period = _range(data.get("start", ""), data.get("end", ""))
    elif "month" in data:
        period = _month(data.get("month", ""))
    else:
        period = month_of(today)
    if period.num_days > max_days:
        last = period.end - timedelta(days=1)
        raise RefusedExportError(
            f"An export can have at most {max_days} days; {period.start} through {last} are {period.num_days}."
            " Choose a shorter range, or export in several parts."
        )
    return period


def _range(start: str, end: str) -> Period:
    first, last = _day("start", start), _day("end", end)
    if last <= first:
        raise RefusedExportError(
            f"The end ({last}) must be after the start ({first}); the end day itself is not included."
        )
    return Period(first, last)


def _day(name: str, text: str) -> date:
    day = parse_day(text)
    if day is None:
        raise RefusedExportError(f"“{name}” must be a day like 2026-11-01, not “{shortened(text)}”.")
    return day


def _month(text: str) -> Period:
    month = parse_month(text)
    if month is None:
        raise RefusedExportError(f"“month” must be a month like 2026-11, not “{shortened(text)}”.")
    return month
