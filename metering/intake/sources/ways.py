"""Ways in for what others write, and for events."""

from dataclasses import replace
from typing import Final

from metering.ingestion_models import Source
from metering.intake.api import NATIVE, Environ, Way, declares_lines
from metering.intake.formats.events import Decoded
from metering.intake.sources import cloudevents, openmeter, responses
from metering.intake.sources.litellm import calls
from metering.intake.sources.otlp import answers, traces


def _responses(body: bytes, environ: Environ) -> Decoded:
    return responses.decode(body, lines=declares_lines(environ))


def _litellm(body: bytes, environ: Environ) -> Decoded:
    return calls.decode(body, lines=declares_lines(environ))


RESPONSES: Final = Way(Source.RESPONSES, _responses)
LITELLM: Final = Way(Source.LITELLM, _litellm)
OTLP: Final = Way(Source.OTLP, traces.decode, answers.stored, answers.refused)
CLOUDEVENTS: Final = Way(Source.CLOUDEVENTS, cloudevents.decode)
OPENMETER: Final = replace(CLOUDEVENTS, stored=openmeter.stored, refused=openmeter.refused)
EVENTS: Final = replace(NATIVE, instead=lambda environ: CLOUDEVENTS if cloudevents.are_in(environ) else None)
