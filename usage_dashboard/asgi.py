"""The application that the server calls."""

import resource

from django.conf import settings

from usage_dashboard.wsgi import application as wsgi_application  # first: it prepares Django

# isort: split
from usage_dashboard.web.application import Application

FILES_BESIDE_CONNECTIONS = 500
application = Application(wsgi_application)

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_wanted = settings.WEB_CONNECTIONS + FILES_BESIDE_CONNECTIONS
if _soft < _wanted:
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_wanted, _hard) if _hard >= 0 else _wanted, _hard))
