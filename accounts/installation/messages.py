"""Messages to the next page, in a cookie with a name of this installation's own."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class NamedCookieStorage(CookieStorage):
    cookie_name = settings.MESSAGES_COOKIE_NAME


class Storage(FallbackStorage):
    """The cookie, or the session for what does not fit in it."""

    storage_classes = (NamedCookieStorage, SessionStorage)
