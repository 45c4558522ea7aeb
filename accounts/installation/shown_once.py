"""Secrets that a person sees once: between the form that makes one and the page that shows it.

They wait in the person's session, encrypted, for one page, and for SHOWN_ONCE_SECONDS at most.
"""

import time
from typing import Final

from django.conf import settings
from django.http import HttpRequest

from accounts.installation import encryption

PURPOSE: Final = "shown once"
KEPT: Final = "shown_once"


def keep(request: HttpRequest, name: str, secret: str) -> None:
    """The secret waits for the page that takes it by this name."""
    request.session[KEPT] = {**_waiting(request), name: [time.time(), encryption.encrypt(secret, purpose=PURPOSE)]}


def take(request: HttpRequest, name: str) -> str | None:
    """The secret, which waits no more; None if it has been taken, or waited too long."""
    waiting = _waiting(request)
    found = waiting.pop(name, None)
    if request.session.get(KEPT, {}) != waiting:
        request.session[KEPT] = waiting
    return None if found is None else encryption.decrypt(found[1], purpose=PURPOSE)


def _waiting(request: HttpRequest) -> dict[str, tuple[float, str]]:
    begun = time.time() - settings.SHOWN_ONCE_SECONDS
    return {name: found for name, found in request.session.get(KEPT, {}).items() if found[0] > begun}
