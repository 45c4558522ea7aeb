"""What an operator's monitor asks: is web alive, and do the stores and the rollups behind it keep up?"""

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.clock import database_now
from metering.rollups.freshness import complete_through
from usage_dashboard.monitoring.broker import queue_lengths


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers; asks no store."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 if events can be stored and pages are up to date, else 503: without the database, or when rollups fall behind.

    Without the broker web still does its work: `degraded`, until the lag passes READY_MAX_LAG_SECONDS.
    """
    try:
        lag_seconds = max(0.0, (database_now() - complete_through()).total_seconds())
    except DatabaseError:
        answer = {"status": "unavailable", "database": "down"}
        return JsonResponse(answer, status=503, headers={"Retry-After": "5"})
    broker_answers = queue_lengths() is not None
    keeps_up = lag_seconds <= settings.READY_MAX_LAG_SECONDS
    return JsonResponse(
        {
            "status": "lagging" if not keeps_up else "ok" if broker_answers else "degraded",
            "database": "ok",
            "broker": "ok" if broker_answers else "down",
            "rollup_lag_seconds": round(lag_seconds, 3),
        },
        status=200 if keeps_up else 503,
    )
