"""`/metrics`: for the operator's Prometheus alone. Where no token and no address is set, there is no such page."""

import hmac
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.addresses import plain_address
from accounts.audit.audit import client_address
from usage_dashboard.monitoring import exposition, readings
from usage_dashboard.monitoring.timings import is_measured

TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"
BEARER: Final = "Bearer "
FROM_A_PROXY: Final = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Every metric, read anew. To a caller from elsewhere there is no such address; without the right token 401."""
    if not (is_measured() and _is_allowed_here(request)):
        raise Http404
    if settings.METRICS_TOKEN and not _has_token(request):
        return HttpResponse(
            "Send the token: Authorization: Bearer …\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    try:
        return HttpResponse(exposition.text(readings.read()), content_type=TEXT_FORMAT)
    except DatabaseError:
        return HttpResponse("The database does not answer.\n", status=503, content_type="text/plain")


def _is_allowed_here(request: HttpRequest) -> bool:
    """Whether the caller's address is one of METRICS_ADDRESSES, if there are any."""
    if not settings.METRICS_ADDRESSES:
        return True
    address = _caller(request)
    return address is not None and any(address in network for network in settings.METRICS_ADDRESSES)


def _caller(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """Who asks: through a proxy, whom the proxies that TRUSTED_PROXY_COUNT counts say; else who is at the other end.

    Behind a proxy that is not counted nobody knows: the address at the other end is the proxy's own.
    """
    if not any(name in request.headers for name in FROM_A_PROXY):
        text = plain_address(request.META.get("REMOTE_ADDR", ""))
    else:
        text = client_address(request) if settings.ALLAUTH_TRUSTED_PROXY_COUNT else None
    address = ip_address(text) if text else None
    return getattr(address, "ipv4_mapped", None) or address


def _has_token(request: HttpRequest) -> bool:
    sent = request.headers.get("Authorization", "")
    return hmac.compare_digest(sent.encode(), f"{BEARER}{settings.METRICS_TOKEN}".encode())
