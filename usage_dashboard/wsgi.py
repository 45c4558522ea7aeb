"""The WSGI application that granian serves."""

import gc
import os
import sys
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from accounts import time_limits
from usage_dashboard.downloads import answer
from usage_dashboard.request_bodies import Body

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usage_dashboard.settings")
django_application = get_wsgi_application()
time_limits.limit_connections()

from metering.short_road import EventsFirst  # noqa: E402 - needs Django's models


def _pages(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return answer(django_application(environ, start_response), environ)


_events_first = EventsFirst(_pages)
gc.collect()
gc.freeze()  # what is loaded now stays for good, and need not be looked through again and again


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The product, with what granian leaves open: bodies that do not come to an end, and downloads that end too early."""
    if environ.get("CONTENT_LENGTH", "0") != "0":
        # What answers a request is not given to applications; it is a variable of the function in granian that calls them.
        protocol = sys._getframe(1).f_locals.get("proto")  # noqa: SLF001
        if protocol is not None:
            environ["wsgi.input"] = Body(environ["wsgi.input"], protocol)
    return _events_first(environ, start_response)
