"""What a call cost in tokens and other units, as LiteLLM says it."""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from metering.intake.sources import normaliser
from metering.intake.sources.litellm.passes import any_is_apart, without_those_apart
from metering.intake.sources.litellm.payload import NOTHING, InputDetails, Parameters, Payload, Response, Usage
from metering.intake.sources.names import provider_of
from metering.intake.sources.normaliser import CACHE_BESIDE, INCLUSIVE, REST_IS_INPUT, Counting, Reported
from metering.intake.sources.providers import anthropic, openai_responses
from metering.intake.sources.providers.anthropic import NO_GEO, Lifetimes
from metering.intake.sources.providers.chat import CompletionDetails
from metering.intake.sources.providers.openai_media import Picture
from metering.intake.sources.providers.reading import NO_UNITS, Reading, Seconds, Tool, web_searches, whole_seconds
from metering.intake.sources.readings import RefusedError

T = TypeVar("T")
GOOGLE: Final = "google"
NO_RESPONSE: Final = Response()
NO_INPUT_DETAILS: Final = InputDetails()
NO_COMPLETION_DETAILS: Final = CompletionDetails()
NO_LIFETIMES: Final = Lifetimes()
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_usage: Final = msgspec.json.Decoder(Usage | None)
_text: Final = msgspec.json.Decoder(str)
_pictures: Final = msgspec.json.Decoder(list[Picture])
_output: Final = msgspec.json.Decoder(list[openai_responses.Item])
_tool_usage: Final = msgspec.json.Decoder(openai_responses.ToolUsage)
_parameters: Final = msgspec.json.Decoder(Parameters)
_seconds: Final = msgspec.json.Decoder(Seconds, strict=False)  # a text in some versions


def reading_of(payload: Payload, usage_type: str) -> Reading:
    """What a payload of a call of this type says. Raises RefusedError."""
    response = payload.response if isinstance(payload.response, Response) else NO_RESPONSE
    usage = usage_of(payload, response)
    output, used = _part(_output, response.output) or (), _part(_tool_usage, response.tool_usage)
    return Reading(
        usage_type=usage_type,
        tokens=without_those_apart(_tokens(usage, usage_type), usage),
        counting=_counting(payload, usage),
        units=NO_UNITS if usage_type == "completions" else _units(usage, response, usage_type),
        model=model_of(payload, response),
        service_tier=tier_word_of(response) or usage.service_tier or tier_asked_for(payload),
        speed=None if usage.speed == "standard" else usage.speed,
        region=None if usage.inference_geo in NO_GEO else usage.inference_geo,
        tools=_tools(usage, output, used),
        parts=(
            *anthropic.parts_of(usage.iterations or ()),
            *openai_responses.parts_of(output, used, response.tools),
        ),
    )


def plain_measures(payload: Payload) -> dict[str, int] | None:
    """The measures of a call that used no more than input, some of it cached, and output, some of it reasoning, which add up.

    None for all others, and for those where the answer may say more. They go by `reading_of`, which gives the same for these.
    """
    usage = payload.metadata.usage_object if payload.metadata else None
    if usage is None:
        return None
    inside = usage.prompt_tokens_details or NO_INPUT_DETAILS
    outside = usage.completion_tokens_details or NO_COMPLETION_DETAILS
    if _says_more(usage, inside, outside):
        return None
    return normaliser.plain_measures(
        usage.prompt_tokens,
        inside.cached_tokens or usage.cache_read_input_tokens or 0,
        usage.completion_tokens,
        outside.reasoning_tokens or 0,
        usage.total_tokens or None,
    )


def _says_more(usage: Usage, inside: InputDetails, outside: CompletionDetails) -> bool:
    return bool(
        (inside.cache_creation_tokens or inside.cache_write_tokens or usage.cache_creation_input_tokens)
        or (inside.audio_tokens or inside.image_tokens or inside.video_tokens or inside.web_search_requests)
        or (outside.audio_tokens or outside.image_tokens)
        or (usage.cache_creation or inside.cache_creation_token_details or usage.server_tool_use)
        or (usage.input_tokens_details or usage.input_token_details or usage.output_tokens_details)
        or (usage.service_tier or usage.speed or usage.inference_geo)
        or any_is_apart(usage)
    )


def model_of(payload: Payload, response: Response) -> str:
    """The model that answered, else the one that was asked for."""
    return _without_provider(_part(_text, response.model) or payload.model or "", payload.custom_llm_provider)


def tier_word_of(response: Response) -> str | None:
    """The answer's word for its service tier."""
    return _part(_text, response.service_tier)


def tier_asked_for(payload: Payload) -> str | None:
    """The request's word for the service tier, which counts where the answer has none."""
    asked = _part(_parameters, payload.model_parameters)
    return asked.service_tier if asked else None


def usage_of(payload: Payload, response: Response) -> Usage:
    """The first of three places that says something. Raises RefusedError."""
    usage = payload.metadata.usage_object if payload.metadata else None
    if usage is not None and _says_something(usage):
        return usage
    if response.usage is not NOTHING:
        found = _of_response(response.usage)
        if found is not None and _says_something(found):
            return found
    return Usage(
        prompt_tokens=payload.prompt_tokens,
        completion_tokens=payload.completion_tokens,
        total_tokens=payload.total_tokens,
    )


def _of_response(raw: msgspec.Raw) -> Usage | None:
    try:
        found: Usage | None = _usage.decode(raw)
    except UNREADABLE as error:
        raise RefusedError("invalid_measure", f"`response.usage` cannot be read: {error}.") from error
    return found


def _counting(payload: Payload, usage: Usage) -> Counting:
    """LiteLLM leaves what Gemini's tools have read (`toolUsePromptTokenCount`) out of the prompt, and has it in the total."""
    if _is_of_messages(usage):
        return CACHE_BESIDE
    return REST_IS_INPUT if provider_of(payload.custom_llm_provider) == GOOGLE else INCLUSIVE


def _says_something(usage: Usage) -> bool:
    inside = usage.prompt_tokens_details or NO_INPUT_DETAILS
    return bool(
        usage.prompt_tokens
        or usage.completion_tokens
        or usage.input_tokens
        or usage.output_tokens
        or usage.total_tokens
        or usage.seconds
        or usage.output_image_count
        or inside.character_count
        or inside.image_count
    )


def _is_of_messages(usage: Usage) -> bool:
    """Whether this is Anthropic's own object, where the cache stands beside the input."""
    return usage.prompt_tokens is None and usage.input_tokens is not None and usage.input_tokens_details is None


def _tokens(usage: Usage, usage_type: str) -> Reported:
    """The numbers of the cache are said twice, inside the details and beside them."""
    inside = _inside(usage)
    outside = usage.completion_tokens_details or usage.output_tokens_details
    cache_write = inside.cache_creation_tokens or inside.cache_write_tokens or usage.cache_creation_input_tokens or 0
    lifetimes = inside.cache_creation_token_details or usage.cache_creation or NO_LIFETIMES
    output = usage.completion_tokens if usage.prompt_tokens is not None else usage.output_tokens
    output = output or usage.completion_tokens or 0
    all_is_picture = outside is None and usage_type == "images"
    outside = outside or NO_COMPLETION_DETAILS
    return Reported(
        input_tokens=usage.input_tokens or 0 if usage.prompt_tokens is None else usage.prompt_tokens,
        output_tokens=output,
        cache_read_tokens=inside.cached_tokens or usage.cache_read_input_tokens or 0,
        cache_write_tokens=cache_write,
        cache_write_long_tokens=lifetimes.ephemeral_1h_input_tokens or 0,
        audio_tokens=inside.audio_tokens or 0,
        image_tokens=inside.image_tokens or 0,
        video_tokens=inside.video_tokens or 0,
        output_audio_tokens=outside.audio_tokens or 0,
        output_image_tokens=output if all_is_picture else outside.image_tokens or 0,
        reasoning_tokens=outside.reasoning_tokens or 0,
        total_tokens=usage.total_tokens or None,
    )


def _inside(usage: Usage) -> InputDetails:
    return usage.prompt_tokens_details or usage.input_tokens_details or usage.input_token_details or NO_INPUT_DETAILS


def _units(usage: Usage, response: Response, usage_type: str) -> dict[str, int]:
    """What is counted beside tokens."""
    inside = _inside(usage)
    if usage_type == "images":
        pictures = _part(_pictures, response.data)
        number = len(pictures) if pictures else usage.output_image_count or inside.image_count
        return {"images": number} if number else {}
    if usage_type == "audio_transcriptions":
        seconds = usage.seconds or (None if usage.total_tokens else _part(_seconds, response.duration))
        return {"seconds": whole_seconds(seconds)} if seconds else {}
    if usage_type == "audio_speeches" and inside.character_count:
        return {"characters": inside.character_count}
    return {}


def _tools(
    usage: Usage, output: Sequence[openai_responses.Item], used: openai_responses.ToolUsage | None
) -> tuple[Tool, ...]:
    """Hosted tools are in the output of Responses; searches of others are counted in the usage."""
    tools = openai_responses.tools_of(output, used)
    if tools or openai_responses.num_searches(output, used) is not None:
        return tools
    inside = usage.prompt_tokens_details
    searches = usage.server_tool_use and usage.server_tool_use.web_search_requests
    return web_searches(searches or (inside and inside.web_search_requests) or 0)


def _without_provider(model: str, provider: str | None) -> str:
    return model.removeprefix(f"{provider}/") if provider and "/" in model else model


def _part(decoder: "msgspec.json.Decoder[T]", raw: msgspec.Raw) -> T | None:
    """A part of the answer; None if it is not there, or something else."""
    if raw is NOTHING:
        return None
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        return None
