"""Ways in for what others write, which are answered as `POST /v1/usage/events` is."""

from typing import Final

from metering.ingestion_models import Source
from metering.intake.api import Environ, Way, declares_lines
from metering.intake.formats.events import Decoded
from metering.intake.sources import responses


def _responses(body: bytes, environ: Environ) -> Decoded:
    return responses.decode(body, lines=declares_lines(environ))


RESPONSES: Final = Way(Source.RESPONSES, _responses)
