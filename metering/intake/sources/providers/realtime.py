"""OpenAI's Realtime: the event `response.done`, or the response in it."""

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import Reported
from metering.intake.sources.providers.reading import MaybeCount, NoUsageError, Reading


class Cached(msgspec.Struct, gc=False):
    audio_tokens: MaybeCount = None
    image_tokens: MaybeCount = None


class InputDetails(msgspec.Struct, gc=False):
    audio_tokens: MaybeCount = None
    image_tokens: MaybeCount = None
    cached_tokens: MaybeCount = None
    cached_tokens_details: Cached | None = None


class OutputDetails(msgspec.Struct, gc=False):
    audio_tokens: MaybeCount = None


class Usage(msgspec.Struct, gc=False):
    input_tokens: Count
    output_tokens: Count
    total_tokens: MaybeCount = None
    input_token_details: InputDetails | None = None
    output_token_details: OutputDetails | None = None


class Body(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: Usage | None = None


class Answer(Body, gc=False):
    response: Body | None = None


_answer = msgspec.json.Decoder(Answer)


def read(answer: bytes | msgspec.Raw) -> Reading:
    """All counts are inside the wholes, and cached audio is inside both audio and cached."""
    found = _answer.decode(answer)
    body = found.response or found
    if body.usage is None:
        raise NoUsageError
    return Reading(tokens=_tokens(body.usage), id=body.id, model=body.model)


def _tokens(usage: Usage) -> Reported:
    inside = usage.input_token_details or InputDetails()
    cached = inside.cached_tokens_details or Cached()
    return Reported(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=inside.cached_tokens or 0,
        audio_tokens=inside.audio_tokens or 0,
        cached_audio_tokens=cached.audio_tokens,
        image_tokens=inside.image_tokens or 0,
        cached_image_tokens=cached.image_tokens,
        output_audio_tokens=(usage.output_token_details and usage.output_token_details.audio_tokens) or 0,
        total_tokens=usage.total_tokens,
    )
