"""Answers of the API have one format, whatever is asked for."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class OneFormat(DefaultContentNegotiation):
    """Answers come from the view's own renderer. A parameter `format` in the address is the view's to read."""

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 - the framework's signature
        renderers: Iterable[Any],
        format_suffix: str | None = None,  # noqa: ARG002 - the framework's signature
    ) -> tuple[Any, str]:
        only = next(iter(renderers))
        return only, only.media_type
