"""The admin site as staff reaches it: through everybody's sign-in, and with what staff has to know on its first page."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from accounts import mail


class StaffSite(AdminSite):
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The one sign-in there is, with its limits and second factors."""
        answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return answer

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        notice = mail.ONLY_LOGGED if mail.is_only_logged() else ""
        return {**super().each_context(request), "notice_to_staff": notice}
