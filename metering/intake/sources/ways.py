"""Ways in for what others write, which are answered as `POST /v1/usage/events` is."""

from typing import Final

from metering.ingestion_models import Source
from metering.intake.api import Way
from metering.intake.sources import responses

RESPONSES: Final = Way(Source.RESPONSES, responses.decode)
