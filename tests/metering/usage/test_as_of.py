"""Usage as of a moment is told of the days, hours and minutes of the query's own period; whatever else is asked is an error."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from accounts.periods import month_of, one_day, previous_month
from metering.usage import sources
from metering.usage.queries import Step, UsageQuery
from metering.usage.sources import AsOfError, Source
from metering.usage.sums import activity_of

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOVEMBER = month_of(date(2026, 11, 1))
MONTH = UsageQuery(organization_ids=(1,), period=NOVEMBER, as_of=MOMENT)
DAY = replace(MONTH, period=one_day(date(2026, 11, 20)), step=Step.HOUR)
HOUR = replace(DAY, step=Step.MINUTE, hour=11)


@pytest.mark.parametrize("query", [MONTH, DAY, HOUR], ids=["days", "hours", "minutes"])
@pytest.mark.parametrize("source", [sources.bars_of, sources.bars_by_part])
def test_the_bars_are_known_as_of_a_moment(source: Callable[[UsageQuery], Source], query: UsageQuery) -> None:
    assert "%(as_of)s" in source(query).rows


@pytest.mark.parametrize(
    "source",
    [
        lambda query: sources.other_days(query, "compared_start", "compared_end"),
        sources.totals_of,
        sources.parts_of,
        sources.keys_of,
        sources.attributions_of,
        lambda query: sources.by_attribution(query, sources.IN_DAYS),
    ],
    ids=["other days", "totals", "parts of a month", "keys of a month", "attributions", "days by attribution"],
)
def test_what_is_not_known_as_of_a_moment_is_refused(source: Callable[[UsageQuery], Source]) -> None:
    source(replace(MONTH, as_of=None))
    with pytest.raises(AsOfError, match="not known as they were"):
        source(MONTH)


def test_a_period_to_compare_with_is_refused_beside_a_moment() -> None:
    with pytest.raises(AsOfError):
        activity_of(MONTH, compared_with=previous_month(NOVEMBER))
