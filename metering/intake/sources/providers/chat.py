"""Chat completions of OpenAI and of all that answer in its shape (openai 3.57.0, types/completion_usage.py)."""

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import INCLUSIVE, REASONING_BESIDE, Counting, Reported
from metering.intake.sources.providers.reading import MaybeCount, NoUsageError, Reading, web_searches


class PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: MaybeCount = None
    cache_write_tokens: MaybeCount = None
    audio_tokens: MaybeCount = None
    image_tokens: MaybeCount = None
    video_tokens: MaybeCount = None


class CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: MaybeCount = None
    audio_tokens: MaybeCount = None
    image_tokens: MaybeCount = None


class ServerTools(msgspec.Struct, gc=False):
    web_search_requests: MaybeCount = None


class Usage(msgspec.Struct, gc=False):
    """`usage` with the names that compatible providers have for the same: the first that is there counts."""

    prompt_tokens: Count
    completion_tokens: MaybeCount = None
    total_tokens: MaybeCount = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    cached_tokens: MaybeCount = None  # Moonshot, Together
    prompt_cache_hit_tokens: MaybeCount = None  # DeepSeek
    cached_prompt_text_tokens: MaybeCount = None  # xAI, formerly
    cache_read_input_tokens: MaybeCount = None  # Databricks
    cache_creation_input_tokens: MaybeCount = None
    reasoning_tokens: MaybeCount = None  # Perplexity, Databricks
    citation_tokens: MaybeCount = None  # Perplexity
    num_search_queries: MaybeCount = None  # Perplexity
    server_tool_use: ServerTools | None = None  # OpenRouter


class GroqStream(msgspec.Struct, gc=False):
    id: str | None = None
    usage: Usage | None = None


class Answer(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    x_groq: GroqStream | None = None


_answer = msgspec.json.Decoder(Answer)


def read(answer: bytes | msgspec.Raw) -> Reading:
    """All counts are inside `prompt_tokens` and `completion_tokens`."""
    return _read(answer, INCLUSIVE)


def read_xai(answer: bytes | msgspec.Raw) -> Reading:
    """At xAI reasoning stands beside `completion_tokens`."""
    return _read(answer, REASONING_BESIDE)


def read_perplexity(answer: bytes | msgspec.Raw) -> Reading:
    """At Perplexity reasoning and citations stand beside `completion_tokens`, and the total leaves both out."""
    return _read(answer, REASONING_BESIDE)


def _read(answer: bytes | msgspec.Raw, counting: Counting) -> Reading:
    found = _answer.decode(answer)
    usage = found.x_groq.usage if found.usage is None and found.x_groq else found.usage
    if usage is None:
        raise NoUsageError
    tools = usage.server_tool_use
    searches = usage.num_search_queries or (tools.web_search_requests if tools else None)
    return Reading(
        tokens=_tokens(usage),
        counting=counting,
        id=found.id,
        model=found.model,
        service_tier=found.service_tier,
        tools=web_searches(searches),
    )


def _tokens(usage: Usage) -> Reported:
    prompt = usage.prompt_tokens_details or _NO_PROMPT_DETAILS
    completion = usage.completion_tokens_details or _NO_COMPLETION_DETAILS
    return Reported(
        input_tokens=usage.prompt_tokens,
        output_tokens=(usage.completion_tokens or 0) + (usage.citation_tokens or 0),
        cache_read_tokens=prompt.cached_tokens
        or usage.cached_tokens
        or usage.prompt_cache_hit_tokens
        or usage.cached_prompt_text_tokens
        or usage.cache_read_input_tokens
        or 0,
        cache_write_tokens=prompt.cache_write_tokens or usage.cache_creation_input_tokens or 0,
        audio_tokens=prompt.audio_tokens or 0,
        image_tokens=prompt.image_tokens or 0,
        video_tokens=prompt.video_tokens or 0,
        output_audio_tokens=completion.audio_tokens or 0,
        output_image_tokens=completion.image_tokens or 0,
        reasoning_tokens=completion.reasoning_tokens or usage.reasoning_tokens or 0,
        total_tokens=usage.total_tokens,
    )


_NO_PROMPT_DETAILS = PromptDetails()
_NO_COMPLETION_DETAILS = CompletionDetails()
