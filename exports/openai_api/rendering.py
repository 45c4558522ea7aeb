"""JSON in which a Decimal is a number with all its digits."""

from decimal import Decimal
from typing import Any, Final

import msgspec
from rest_framework.renderers import BaseRenderer

MOST_BITS: Final = 63
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class ExactJSONRenderer(BaseRenderer):
    """As the framework's, but money is written from its decimal text and not by way of a float."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:  # noqa: ARG002 - the framework's signature
        return b"" if data is None else _encoder.encode(_encodable(data))


def _encodable(data: Any) -> Any:
    """The same with whole numbers of more than 64 bits, which the encoder refuses, as decimals, which it writes alike."""
    if isinstance(data, dict):
        return {name: _encodable(value) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_encodable(value) for value in data]
    return Decimal(data) if isinstance(data, int) and data.bit_length() > MOST_BITS else data
