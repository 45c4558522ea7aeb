"""OpenAI's other APIs: embeddings, moderations, images, transcriptions, speech (openai 3.57.0, types/images_response.py …)."""

from collections.abc import Iterable

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import Reported
from metering.intake.sources.providers.reading import (
    DRAWING,
    MaybeCount,
    NoUsageError,
    Part,
    Reading,
    Seconds,
    numbered,
    whole_seconds,
)


class EmbeddingsUsage(msgspec.Struct, gc=False):
    prompt_tokens: MaybeCount = None
    total_tokens: MaybeCount = None  # the only one of Voyage


class Embeddings(msgspec.Struct, gc=False):
    usage: EmbeddingsUsage
    id: str | None = None
    model: str | None = None


class Moderation(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None


class Kinds(msgspec.Struct, gc=False):
    image_tokens: MaybeCount = None
    audio_tokens: MaybeCount = None


class CachedKinds(msgspec.Struct, gc=False):
    cached_image_tokens: MaybeCount = None


class MediaUsage(msgspec.Struct, gc=False):
    """Of images and of what is spoken. Images have `…_tokens_details`, transcriptions `…_token_details`."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: MaybeCount = None
    input_tokens_details: Kinds | None = None
    output_tokens_details: Kinds | None = None
    input_token_details: Kinds | None = None
    cached_tokens: MaybeCount = None
    cached_tokens_details: CachedKinds | None = None
    type: str = "tokens"
    seconds: Seconds | None = None


class Picture(msgspec.Struct, gc=False):
    """Nothing of it is read; it is counted."""


class DrawingUsage(msgspec.Struct, gc=False):
    """Of the model that writes an SVG after the picture which another one made."""

    model: str | None = None
    input_tokens: MaybeCount = None
    output_tokens: MaybeCount = None
    reasoning_tokens: MaybeCount = None
    total_tokens: MaybeCount = None


class Images(msgspec.Struct, gc=False):
    usage: MediaUsage | None = None
    svg_usage: DrawingUsage | None = None
    data: list[Picture] | None = None
    type: str = ""


class Spoken(msgspec.Struct, gc=False):
    usage: MediaUsage | None = None
    duration: Seconds | None = None


_embeddings = msgspec.json.Decoder(Embeddings)
_moderation = msgspec.json.Decoder(Moderation)
_images = msgspec.json.Decoder(Images)
_spoken = msgspec.json.Decoder(Spoken, strict=False)  # `duration` is a text in some versions


def read_embeddings(answer: bytes | msgspec.Raw) -> Reading:
    """Input alone."""
    found = _embeddings.decode(answer)
    number = found.usage.prompt_tokens if found.usage.prompt_tokens is not None else found.usage.total_tokens
    if number is None:
        raise NoUsageError
    return Reading(usage_type="embeddings", tokens=Reported(input_tokens=number), id=found.id, model=found.model)


def read_moderations(answer: bytes | msgspec.Raw) -> Reading:
    """A request; the answer has no usage."""
    found = _moderation.decode(answer)
    return Reading(usage_type="moderations", id=found.id, model=found.model)


def read_images(answer: bytes | msgspec.Raw) -> Reading:
    """The pictures, and the tokens of those models that are charged by them."""
    found = _images.decode(answer)
    number = len(found.data or ()) or int(
        found.type.endswith(".completed")
    )  # the last event of a stream has one picture
    return Reading(
        usage_type="images",
        tokens=tokens_of_images(found.usage or MediaUsage()),
        units={"images": number},
        parts=drawings((found.svg_usage,)),
    )


def tokens_of_images(usage: MediaUsage) -> Reported:
    """Output that nobody divides is pictures."""
    inside, outside = usage.input_tokens_details or Kinds(), usage.output_tokens_details
    cached = usage.cached_tokens_details or CachedKinds()
    return Reported(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens or 0,
        image_tokens=inside.image_tokens or 0,
        cached_image_tokens=cached.cached_image_tokens,
        output_image_tokens=usage.output_tokens if outside is None else outside.image_tokens or 0,
        total_tokens=usage.total_tokens,
    )


def drawings(usages: Iterable[DrawingUsage | None]) -> tuple[Part, ...]:
    """What was written as SVG, by a model of its own."""
    return numbered(DRAWING, (_drawing(usage) for usage in usages if usage))


def _drawing(usage: DrawingUsage) -> Reading:
    tokens = Reported(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        reasoning_tokens=usage.reasoning_tokens or 0,
        total_tokens=usage.total_tokens,
    )
    return Reading(tokens=tokens, model=usage.model)


def read_transcriptions(answer: bytes | msgspec.Raw) -> Reading:
    """The seconds of audio, or tokens: which of them depends on the model."""
    found = _spoken.decode(answer)
    usage = found.usage
    if usage is not None and usage.type == "tokens":
        inside = usage.input_token_details or usage.input_tokens_details or Kinds()
        tokens = Reported(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            audio_tokens=inside.audio_tokens or 0,
            total_tokens=usage.total_tokens,
        )
        return Reading(usage_type="audio_transcriptions", tokens=tokens)
    seconds = found.duration if usage is None else usage.seconds
    units = {} if seconds is None else {"seconds": whole_seconds(seconds)}
    return Reading(usage_type="audio_transcriptions", units=units)


def read_speech(answer: bytes | msgspec.Raw) -> Reading:
    """The last event of a stream has tokens, of which the output is audio; other answers are sound alone."""
    usage = _spoken.decode(answer).usage or MediaUsage()
    tokens = Reported(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        output_audio_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
    )
    return Reading(usage_type="audio_speeches", tokens=tokens)
