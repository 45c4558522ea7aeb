"""Figures: server time of both pages by project and by attribute, beside the same page over fewer events.

As `benchmarks.pages.usage`, of organizations whose usage is for projects and has three attributes (`benchmarks.load.purposes`).
"""

import os
from datetime import timedelta
from typing import Final

from accounts.clock import database_now
from benchmarks.load.generate import clear
from benchmarks.load.purposes import make_world_with_purposes
from benchmarks.load.world import World
from benchmarks.measure import Figure
from benchmarks.pages import usage as pages
from usage_dashboard.machine.preparation import collect_static

GROUPINGS: Final = {
    "project": "project",
    "team": "attribute:team",
    "customer": "attribute:end_customer",
}

NARROWED: Final = {"of one team": "&attribute=team:team-3", "of one customer": "&attribute=end_customer:customer-30"}
"""Measured beside them, over the larger organization alone."""


def measure(world: World, *, quick: bool) -> list[Figure]:  # noqa: ARG001 - as all figures
    """A figure a page and grouping: 150,000 events beside 15,000 (quick), or PAGE_EVENTS (100 million) beside a hundredth."""
    worlds = make_world_with_purposes("fewer-for-projects"), make_world_with_purposes("for-projects")
    times_more = 10 if quick else 100
    num_events = 150_000 if quick else int(os.environ.get("PAGE_EVENTS", "100_000_000"))
    clear()
    today = database_now().date()
    for day in [today - timedelta(days=n) for n in range(pages.DAYS, 0, -1)]:
        for each, times in zip(worlds, (times_more, 1), strict=True):
            pages.fill(each, day, num_events // times // pages.DAYS, with_purpose=True)
    pages.settle()
    collect_static()
    month = today.replace(day=1) - timedelta(days=1)  # the last whole month lies within the 60 days
    narrowed = {
        page: pages.views_of(worlds[1], page, month, NARROWED, 3 if quick else 20) for page in ("activity", "cost")
    }
    return [
        pages.page_figure(
            f"{page}_by_{grouping}",
            page,
            worlds,
            month,
            quick=quick,
            notes={"events": num_events, **narrowed[page]},
            query=f"&group_by={word}",
        )
        for grouping, word in GROUPINGS.items()
        for page in ("activity", "cost")
    ]
