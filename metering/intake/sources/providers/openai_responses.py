"""OpenAI's Responses (openai 3.57.0, types/responses/response.py), and those who answer in its shape."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from metering.intake.formats.events import Count
from metering.intake.formats.items import UNREADABLE
from metering.intake.sources.normaliser import Reported
from metering.intake.sources.providers.openai_media import DrawingUsage, MediaUsage, drawings, tokens_of_images
from metering.intake.sources.providers.reading import (
    CODE_INTERPRETER,
    FILE_SEARCH,
    IMAGES,
    MaybeCount,
    NoUsageError,
    Part,
    Reading,
    Tool,
    numbered,
    web_searches,
)

SEARCH: Final = "search"
WEB_SEARCH_CALL: Final = "web_search_call"
IMAGE_TOOL: Final = "image_generation"
"""Also the model of pictures of which the answer says none: it has no price, and is shown as that."""
IMAGE_CALL: Final = "image_generation_call"


class Lifetimes(msgspec.Struct, gc=False):
    ttl_12h_tokens: MaybeCount = None


class InputDetails(msgspec.Struct, gc=False):
    cached_tokens: MaybeCount = None
    cache_read_input_tokens: MaybeCount = None  # Perplexity
    cache_write_tokens: MaybeCount = None
    cache_write_tokens_details: Lifetimes | None = None


class OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: MaybeCount = None


class Usage(msgspec.Struct, gc=False):
    input_tokens: Count
    output_tokens: Count
    total_tokens: MaybeCount = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class Item(msgspec.Struct, gc=False):
    """What `action` is depends on the type."""

    type: str = ""
    status: str | None = None
    container_id: str | None = None
    action: msgspec.Raw = msgspec.Raw()
    svg_usage: DrawingUsage | None = None


class Action(msgspec.Struct, gc=False):
    type: str = SEARCH


class Searches(msgspec.Struct, gc=False):
    num_requests: MaybeCount = None


class ToolUsage(msgspec.Struct, gc=False):
    """What hosted tools used beside the model. Older answers have none."""

    web_search: Searches | None = None
    image_gen: MediaUsage | None = None


class Declared(msgspec.Struct, gc=False):
    """A tool that the request had."""

    type: str = ""
    model: str | None = None


class Body(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    output: list[Item] | None = None
    tool_usage: ToolUsage | None = None
    tools: msgspec.Raw = msgspec.Raw()


class Answer(Body, gc=False):
    """A response, or the last event of its stream, which has it inside."""

    response: Body | None = None


_answer = msgspec.json.Decoder(Answer)
_action = msgspec.json.Decoder(Action)
_declared = msgspec.json.Decoder(list[Declared])


def read(answer: bytes | msgspec.Raw) -> Reading:
    """All counts are inside `input_tokens` and `output_tokens`; hosted tools are items of the output."""
    found = _answer.decode(answer)
    body = found.response or found
    if body.usage is None:
        raise NoUsageError
    return Reading(
        tokens=_tokens(body.usage),
        id=body.id,
        model=body.model,
        service_tier=body.service_tier,
        tools=tools_of(body.output or (), body.tool_usage),
        parts=parts_of(body.output or (), body.tool_usage, body.tools),
    )


def _tokens(usage: Usage) -> Reported:
    inside = usage.input_tokens_details or InputDetails()
    lifetimes = inside.cache_write_tokens_details
    return Reported(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=inside.cached_tokens or inside.cache_read_input_tokens or 0,
        cache_write_tokens=inside.cache_write_tokens or 0,
        cache_write_long_tokens=(lifetimes and lifetimes.ttl_12h_tokens) or 0,
        reasoning_tokens=(usage.output_tokens_details and usage.output_tokens_details.reasoning_tokens) or 0,
        total_tokens=usage.total_tokens,
    )


def tools_of(output: Sequence[Item], used: ToolUsage | None) -> tuple[Tool, ...]:
    """Searches are charged by the call, code by the container that it ran in."""
    calls = Counter(item.type for item in output)
    tools = web_searches(num_searches(output, used))
    if number := calls["file_search_call"]:
        tools += (Tool(FILE_SEARCH, "file_search_calls", {"num_model_requests": number}),)
    if number := calls["code_interpreter_call"]:
        containers = [item.container_id for item in output if item.type == "code_interpreter_call"]
        num_sessions = len({name for name in containers if name}) + sum(1 for name in containers if not name)
        measures = {"num_model_requests": number, "num_sessions": num_sessions}
        tools += (Tool(CODE_INTERPRETER, "code_interpreter_sessions", measures),)
    return tools


def num_searches(output: Sequence[Item], used: ToolUsage | None) -> int | None:
    """How many searches are charged; None where the answer says nothing of any. Its own number leaves those out that are free."""
    if used and used.web_search and used.web_search.num_requests is not None:
        return used.web_search.num_requests
    calls = [item for item in output if item.type == WEB_SEARCH_CALL]
    return sum(map(_is_search, calls)) if calls else None


def _is_search(call: Item) -> bool:
    """A call may also open a page, or look for words in one, which is free. Older answers do not say what a call did."""
    try:
        return _action.decode(call.action).type == SEARCH
    except UNREADABLE:
        return True


def parts_of(output: Sequence[Item], used: ToolUsage | None, declared: msgspec.Raw) -> tuple[Part, ...]:
    """Pictures that the model had made by another one, and what was written as SVG: the answer's usage leaves both out.

    `declared` are the request's tools as JSON.
    """
    number = sum(item.type == IMAGE_CALL and item.status != "failed" for item in output)
    tokens = tokens_of_images((used and used.image_gen) or MediaUsage())
    drawn = drawings(item.svg_usage for item in output)
    if not (number or tokens.input_tokens or tokens.output_tokens):
        return drawn
    units = {"num_model_requests": number or 1, "images": number}
    images = Reading(usage_type="images", tokens=tokens, units=units, model=_image_model(declared))
    return (*numbered(IMAGES, (images,)), *drawn)


def _image_model(declared: msgspec.Raw) -> str:
    try:
        tools = _declared.decode(declared)
    except UNREADABLE:
        return IMAGE_TOOL
    return next((tool.model for tool in tools if tool.type == IMAGE_TOOL and tool.model), IMAGE_TOOL)
