"""Django and the short road past it, as they stand behind `usage_dashboard.asgi`."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from accounts.installation import time_limits

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usage_dashboard.settings")
django_application = get_wsgi_application()
time_limits.limit_connections()

from metering.intake.fast_path import EventsFirst  # noqa: E402 - needs Django's models

application = EventsFirst(django_application)
gc.collect()
gc.freeze()  # what is loaded now stays for good, and need not be looked through again and again
