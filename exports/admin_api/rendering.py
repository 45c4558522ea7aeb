"""JSON in which a Decimal is a number with all its digits."""

from typing import Any, Final

import msgspec
from rest_framework.renderers import BaseRenderer

_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class ExactJSONRenderer(BaseRenderer):
    """As the framework's, but money is written from its decimal text and not by way of a float."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:  # noqa: ARG002 - the framework's signature
        return b"" if data is None else _encoder.encode(data)
