"""How often a person may do what costs others something. Counted in the database, so that it holds over all processes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import User
from accounts.pages.words import counted
from accounts.periods import one_day

# One row per person and kind; nothing is written beyond the limit. The windows are the clock's minutes and UTC days.
SPEND_SQL: Final = """
WITH spent AS (
    INSERT INTO accounts_spending AS row (user_id, kind, began_at, number)
    SELECT %(user)s, %(kind)s, date_trunc(%(window)s, clock_timestamp(), 'UTC'), 1 WHERE %(most)s > 0
    ON CONFLICT (user_id, kind) DO UPDATE SET
        number = CASE WHEN row.began_at = excluded.began_at THEN row.number + 1 ELSE 1 END,
        began_at = excluded.began_at
    WHERE row.began_at <> excluded.began_at OR row.number < %(most)s
    RETURNING 1
)
SELECT
    EXISTS (SELECT FROM spent),
    ceil(extract(epoch FROM
        date_trunc(%(window)s, clock_timestamp(), 'UTC') + ('1 ' || %(window)s)::interval - clock_timestamp()
    ))::int
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most as many of `things` as the setting says, per person and `window` (minute or day)."""

    kind: str
    setting: str
    window: str
    things: str


CHANGES: Final = Limit("change", "CHANGES_PER_MINUTE", "minute", "changes")
ORGANIZATIONS: Final = Limit("organization", "NEW_ORGANIZATIONS_PER_DAY", "day", "new organizations")
API_KEYS: Final = Limit("api_key", "NEW_API_KEYS_PER_DAY", "day", "new API keys")
PROJECTS: Final = Limit("project", "NEW_PROJECTS_PER_DAY", "day", "new projects")


class LimitReachedError(Exception):
    """The person has had enough of it; the message says of what. `retry_after` is in seconds, None if waiting is of no use."""

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def spend(user: User, limit: Limit) -> None:
    """Counts one more, in the transaction that is open, if one is. Raises LimitReachedError beyond the limit."""
    most = getattr(settings, limit.setting)
    with connection.cursor() as cursor:
        cursor.execute(SPEND_SQL, {"user": user.pk, "kind": limit.kind, "window": limit.window, "most": most})
        is_spent, seconds_left = cursor.fetchone()
    if not is_spent:
        raise LimitReachedError(
            f"You have made {most:,} {limit.things} {_this(limit.window)}, which is the limit. "
            f"Nothing was changed; try again {_when(seconds_left)}.",
            retry_after=max(seconds_left, 1),
        )


def require_room(rows: QuerySet[Any], what: str, *, at: datetime, most: int, moment: str = "effective_at") -> None:
    """One more of the rows of a dated history can be on the UTC day of `at`, where `most` can be. Raises LimitReachedError.

    Whoever asks is alone with the history (`accounts.changes`). It is counted for what is changed, whoever changes it:
    usage is routed by all of it.
    """
    day = one_day(at.date())
    if rows.filter(**{f"{moment}__gte": day.start_at, f"{moment}__lt": day.end_at}).count() >= most:
        raise LimitReachedError(
            f"{what} {counted(most, 'time')} on {at:%B %-d} (UTC), which is the limit of a day. Nothing was changed.",
            retry_after=max(int((day.end_at - at) / timedelta(seconds=1)), 1),
        )


def answer(page: HttpResponse, refusal: LimitReachedError | None) -> HttpResponse:
    """The page; if it tells of a limit that is reached, 429 with `Retry-After`, or 409 if waiting is of no use."""
    if refusal is not None:
        page.status_code = 409 if refusal.retry_after is None else 429
        if refusal.retry_after is not None:
            page["Retry-After"] = str(refusal.retry_after)
    return page


class LimitPages:
    """Middleware: a page of its own for a limit that is reached, where no form tells of it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, LimitReachedError):
            return None
        return answer(render(request, "429.html", {"exception": exception}), exception)


def _when(seconds: int) -> str:
    if seconds <= 60:
        return f"in {counted(max(seconds, 1), 'second')}"
    return "tomorrow (UTC)"


def _this(window: str) -> str:
    return "today" if window == "day" else "this minute"
