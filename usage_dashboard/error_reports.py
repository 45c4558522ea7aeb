"""What a report of an error may show: nothing that someone sent, and no variable that holds a secret."""

from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

from apikeys.secrets import contains_secret


class SecretsFilter(SafeExceptionReporterFilter):
    """Django's filter, always on, for all that was posted, and for secrets by their looks as well as by their names."""

    def is_active(self, request: HttpRequest | None) -> bool:  # noqa: ARG002 - the framework's signature
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return {} if request is None else dict.fromkeys(request.POST, self.cleansed_substitute)

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        return self.cleansed_substitute if isinstance(cleansed, str) and contains_secret(cleansed) else cleansed

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> Any:
        """(name, value) of each variable."""
        return [
            (name, self.cleansed_substitute if self._is_secret(name, value) else value)
            for name, value in super().get_traceback_frame_variables(request, tb_frame)
        ]

    def _is_secret(self, name: str, value: Any) -> bool:
        try:
            return bool(self.hidden_settings.search(name)) or contains_secret(repr(value))
        except Exception:  # noqa: BLE001 - what cannot be looked at is not shown
            return True
