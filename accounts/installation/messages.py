"""Messages to the next page, in a cookie with a name of this installation's own."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http.response import HttpResponseBase


class NamedCookieStorage(CookieStorage):
    """Where the session's cookie goes, and nowhere else: other sites may be on the same host."""

    cookie_name = settings.MESSAGES_COOKIE_NAME

    def _update_cookie(self, encoded_data: str | None, response: HttpResponseBase) -> None:
        super()._update_cookie(encoded_data, response)  # type: ignore[misc]  # the stubs leave it out
        response.cookies[self.cookie_name]["path"] = settings.SESSION_COOKIE_PATH


class Storage(FallbackStorage):
    """The cookie, or the session for what does not fit in it."""

    storage_classes = (NamedCookieStorage, SessionStorage)
