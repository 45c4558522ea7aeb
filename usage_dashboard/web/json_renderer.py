"""What writes the answers of the API's calls that have no renderer of their own."""

from decimal import Decimal
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder


class Encoder(JSONEncoder):
    """Prices and rates are texts with all their digits; the framework would make floats of them."""

    def default(self, obj: Any) -> Any:
        return f"{obj:f}" if isinstance(obj, Decimal) else super().default(obj)


class Renderer(JSONRenderer):
    """JSON as the description says it."""

    encoder_class = Encoder
