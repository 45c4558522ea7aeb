"""Buckets of time: how wide they are, where they begin and end, and from when on each width is known."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings

from accounts.periods import midnight
from apikeys.adminkeys.api import InvalidRequestError
from metering.rollups.retention import HOURLY_DAYS
from metering.usage.queries import Step

WIDTHS: Final = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
STEPS: Final = {"1m": Step.MINUTE, "1h": Step.HOUR, "1d": Step.DAY}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def floor(moment: datetime, width: str) -> datetime:
    """The start of the bucket that the moment is in."""
    return EPOCH + (moment - EPOCH) // WIDTHS[width] * WIDTHS[width]


def ceiling(moment: datetime, width: str) -> datetime:
    """The end of the bucket that the time before this moment is in."""
    start = floor(moment, width)
    return start if start == moment else start + WIDTHS[width]


def seconds_of(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds())


def moment_of(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def require_past(start: datetime, end: datetime, *, name: str) -> None:
    """Raises InvalidRequestError where nothing before now is asked for; `name` is the parameter of the start."""
    if end <= start:
        raise InvalidRequestError(f"Invalid '{name}': it is in the future.", param=name)


def require_kept(start: datetime, width: str, now: datetime, *, name: str) -> None:
    """Raises InvalidRequestError for minutes whose events, and hours whose sums, are not kept any more."""
    kept = {"1m": ("minutes", settings.USAGE_EVENT_RETENTION_DAYS), "1h": ("hours", HOURLY_DAYS)}
    words, days = kept.get(width, ("", 0))
    if words and start < midnight(now.date() - timedelta(days=days - 1)):
        raise InvalidRequestError(
            f"Invalid '{name}': {words} are kept for {days} days. Ask for {'hours or ' if width == '1m' else ''}days.",
            param=name,
            code="range_not_kept",
        )
