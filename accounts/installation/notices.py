"""What an operator has to know before others use this installation: said at the start, by commands, in logs and to staff."""

from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
CONSOLE: Final = "django.core.mail.backends.console.EmailBackend"


def notices() -> list[str]:
    """A sentence for each setting that lets strangers in, or leads people astray; none in the demo."""
    if settings.DEMO:
        return []
    found = []
    if settings.EMAIL_BACKEND == CONSOLE:
        found.append(
            "EMAIL IS NOT SENT: it is written to the log of web, with the links that let people in and choose new "
            "passwords. Whoever reads the log can use them. Set EMAIL_URL to a mail server."
        )
    if urlsplit(settings.SITE_ADDRESS).hostname in LOCAL and (
        settings.HTTPS or not LOCAL.issuperset(settings.ALLOWED_HOSTS)
    ):
        found.append(
            f"LINKS IN EMAILS LEAD TO {settings.SITE_ADDRESS}, where others find nothing. "
            "Set SITE_ADDRESS to the address under which people reach web."
        )
    return found
