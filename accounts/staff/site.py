"""The admin site as staff reaches it: through everybody's sign-in, with a second factor, and on record."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite, ModelAdmin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from accounts.audit import audit
from accounts.audit.audit import actor_of
from accounts.installation.notices import notices
from accounts.models import User
from accounts.staff.guarded_admin import GuardedAdmin
from accounts.staff.second_factor import lacks_second_factor, second_factor_page

V = TypeVar("V", bound=Callable[..., HttpResponseBase])
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
UNUSED_MODELS: Final = frozenset({"SocialApp", "SocialToken"})
"""Single sign-on is set up by settings, and its tokens are not kept."""


class StaffSite(AdminSite):
    def register(self, model_or_iterable: Any, admin_class: type[Any] | None = None, **options: Any) -> None:
        """The list of a model, ours or a package's, behind the guard of accounts/staff/guarded_admin.py."""
        found = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        base = admin_class or ModelAdmin
        guarded = type(base.__name__, (GuardedAdmin, base), {"__module__": base.__module__})
        super().register([model for model in found if model.__name__ not in UNUSED_MODELS], guarded, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return (
            super().has_permission(request) and isinstance(request.user, User) and not lacks_second_factor(request.user)
        )

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The one sign-in there is, with its limits; for staff without a second factor, the way to one."""
        if super().has_permission(request) and not self.has_permission(request):
            return second_factor_page(request)
        answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return answer

    # A redirect is an answer too, which Django's type leaves out.
    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        """Signing out is a POST; a reload of the page after it leads to the sign-in."""
        is_read = request.method in SAFE_METHODS
        answer: HttpResponse = redirect("admin:index") if is_read else super().logout(request, extra_context)
        return answer

    def admin_view(self, view: V, cacheable: bool = False) -> V:  # noqa: FBT001, FBT002 - Django's signature
        """Changes of rights are recorded by the database, with who made them here."""

        @wraps(view)
        def on_record(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method in SAFE_METHODS:
                return view(request, *args, **kwargs)
            with audit.acting(actor_of(request)):
                return view(request, *args, **kwargs)

        return super().admin_view(cast("V", on_record), cacheable)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "notices": notices()}
