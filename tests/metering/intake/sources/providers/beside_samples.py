"""Answers in which models did more than the answer's own counters say, made of the types of the providers' clients."""

from typing import Any, Literal

from anthropic.types.beta import (
    BetaAdvisorMessageIterationUsage,
    BetaCacheCreation,
    BetaCompactionIterationUsage,
    BetaMessageIterationUsage,
    BetaUsage,
)
from openai.types import Image, ImagesResponse, images_response
from openai.types.responses import (
    Response,
    ResponseFunctionWebSearch,
    ResponseOutputItem,
    ResponseUsage,
    Tool,
    response,
    response_function_web_search,
    response_output_item,
    response_usage,
    tool,
)

from tests.metering.intake.sources.providers.samples import COMPLETION, Sample


def message(model: str, usage: BetaUsage) -> dict[str, Any]:
    """Anthropic's answer with this usage."""
    return {"id": "msg_1", "type": "message", "model": model, "content": [], "usage": usage.model_dump(mode="json")}


def compaction(**counters: Any) -> BetaCompactionIterationUsage:
    return BetaCompactionIterationUsage(
        type="compaction", **{"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, **counters}
    )


def turn(**counters: Any) -> BetaMessageIterationUsage:
    return BetaMessageIterationUsage(
        type="message", **{"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, **counters}
    )


COMPACTED = message(
    "claude-opus-4-6",
    BetaUsage(
        input_tokens=23_000,
        output_tokens=1_000,
        service_tier="priority",
        speed="fast",
        inference_geo="us",
        iterations=[
            compaction(input_tokens=180_000, output_tokens=3_500),
            turn(input_tokens=23_000, output_tokens=1_000),
        ],
    ),
)
PROCESSED = {"service_tier": "priority", "speed": "fast", "region": "us"}
ANTHROPIC = [
    Sample(
        "Anthropic, which compacted the context before it answered",
        "anthropic",
        "messages",
        COMPACTED,
        {**COMPLETION, "id": "msg_1", "model": "claude-opus-4-6", "input_tokens": 23_000, "output_tokens": 1_000}
        | PROCESSED,
        tools={
            "cp": {**COMPLETION, "model": "claude-opus-4-6", "num_model_requests": 0}
            | {"input_tokens": 180_000, "output_tokens": 3_500}
            | PROCESSED
        },
        second="default",
    ),
    Sample(
        "a result of Anthropic's batch, which compacted",
        "anthropic",
        "batch",
        {"custom_id": "my-request", "result": {"type": "succeeded", "message": COMPACTED}},
        {**COMPLETION, "id": "msg_1", "model": "claude-opus-4-6", "input_tokens": 23_000, "output_tokens": 1_000}
        | {**PROCESSED, "batch": True},
        tools={
            "cp": {**COMPLETION, "model": "claude-opus-4-6", "num_model_requests": 0}
            | {"input_tokens": 180_000, "output_tokens": 3_500}
            | {**PROCESSED, "batch": True}
        },
    ),
    Sample(
        "Anthropic, which compacted twice, with the cache",
        "anthropic",
        "messages",
        message(
            "claude-opus-4-6",
            BetaUsage(
                input_tokens=30,
                output_tokens=70,
                cache_read_input_tokens=900,
                iterations=[
                    compaction(input_tokens=500, output_tokens=40, cache_read_input_tokens=150_000),
                    turn(input_tokens=10, output_tokens=20, cache_read_input_tokens=400),
                    compaction(
                        input_tokens=600,
                        output_tokens=50,
                        cache_creation_input_tokens=300,
                        cache_creation=BetaCacheCreation(ephemeral_1h_input_tokens=200, ephemeral_5m_input_tokens=100),
                    ),
                    turn(input_tokens=20, output_tokens=50, cache_read_input_tokens=500),
                ],
            ),
        ),
        {**COMPLETION, "id": "msg_1", "model": "claude-opus-4-6"}
        | {"input_tokens": 930, "input_cached_tokens": 900, "output_tokens": 70},
        tools={
            "cp": {**COMPLETION, "model": "claude-opus-4-6", "num_model_requests": 0}
            | {"input_tokens": 150_500, "input_cached_tokens": 150_000, "output_tokens": 40},
            "cp2": {**COMPLETION, "model": "claude-opus-4-6", "num_model_requests": 0}
            | {"input_tokens": 900, "input_cache_write_tokens": 300, "input_cache_write_long_tokens": 200}
            | {"output_tokens": 50},
        },
        second="default",
    ),
    Sample(
        "Anthropic, whose model asked another one for advice",
        "anthropic",
        "messages",
        message(
            "claude-sonnet-4-6",
            BetaUsage(
                input_tokens=400,
                output_tokens=1_200,
                service_tier="priority",
                inference_geo="us",
                iterations=[
                    turn(input_tokens=150, output_tokens=200),
                    BetaAdvisorMessageIterationUsage(
                        type="advisor_message",
                        model="claude-opus-4-8",
                        input_tokens=800,
                        output_tokens=500,
                        cache_creation_input_tokens=0,
                        cache_read_input_tokens=100,
                    ),
                    turn(input_tokens=250, output_tokens=1_000),
                ],
            ),
        ),
        {**COMPLETION, "id": "msg_1", "model": "claude-sonnet-4-6", "input_tokens": 400, "output_tokens": 1_200}
        | {"service_tier": "priority", "region": "us"},
        tools={
            "ad": {**COMPLETION, "model": "claude-opus-4-8", "region": "us"}
            | {"input_tokens": 900, "input_cached_tokens": 100, "output_tokens": 500}
        },
        second="default",
    ),
]


NO_PICTURES = response.ToolUsageImageGen(
    input_tokens=0,
    input_tokens_details=response.ToolUsageImageGenInputTokensDetails(image_tokens=0, text_tokens=0),
    output_tokens=0,
    total_tokens=0,
)


def tool_usage(*, num_searches: int = 0, pictures: response.ToolUsageImageGen = NO_PICTURES) -> response.ToolUsage:
    """What OpenAI says of its hosted tools; those that did nothing have zeros."""
    return response.ToolUsage(web_search=response.ToolUsageWebSearch(num_requests=num_searches), image_gen=pictures)


def answered(
    output: list[ResponseOutputItem], used: response.ToolUsage | None = None, tools: list[Tool] | None = None
) -> dict[str, Any]:
    """An answer of OpenAI's Responses, of 5 tokens in and 2 out, with this output."""
    return Response(
        id="resp_1",
        created_at=1_795_000_000,
        model="gpt-5.4",
        object="response",
        output=output,
        parallel_tool_calls=True,
        tool_choice="auto",
        tools=tools or [],
        tool_usage=used,
        usage=ResponseUsage(
            input_tokens=5,
            input_tokens_details=response_usage.InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
            output_tokens=2,
            output_tokens_details=response_usage.OutputTokensDetails(reasoning_tokens=0),
            total_tokens=7,
        ),
    ).model_dump(mode="json")


def on_the_web(action: response_function_web_search.Action) -> ResponseFunctionWebSearch:
    return ResponseFunctionWebSearch(id="ws_1", type="web_search_call", status="completed", action=action)


PAGE = "https://example.com/"
BROWSED: list[ResponseOutputItem] = [
    on_the_web(response_function_web_search.ActionSearch(type="search", query="a")),
    on_the_web(response_function_web_search.ActionOpenPage(type="open_page", url=PAGE)),
    on_the_web(response_function_web_search.ActionSearch(type="search", query="b")),
    on_the_web(response_function_web_search.ActionFind(type="find_in_page", url=PAGE, pattern="c")),
]
RESPONSE = {**COMPLETION, "id": "resp_1", "model": "gpt-5.4", "input_tokens": 5, "output_tokens": 2}
OPENAI = [
    Sample(
        "OpenAI Responses, which searched and opened what it found",
        "openai",
        "responses",
        answered(BROWSED),
        RESPONSE,
        tools={"ws": {"usage_type": "web_search_calls", "model": "gpt-5.4", "num_model_requests": 2}},
        second="responses",
    ),
    Sample(
        "OpenAI Responses, which says how many searches it charges",
        "openai",
        "responses",
        answered(BROWSED, tool_usage(num_searches=1)),
        RESPONSE,
        tools={"ws": {"usage_type": "web_search_calls", "model": "gpt-5.4", "num_model_requests": 1}},
        second="responses",
    ),
    Sample(
        "OpenAI Responses, whose searches are all free",
        "openai",
        "responses",
        answered(BROWSED, tool_usage()),
        RESPONSE,
        second="responses",
    ),
]


def drawn(
    status: Literal["completed", "failed", "generating"],
    svg: response_output_item.ImageGenerationCallSvgUsage | None = None,
) -> ResponseOutputItem:
    return response_output_item.ImageGenerationCall(
        id="ig_1", type="image_generation_call", status=status, result="aGVsbG8=", svg_usage=svg
    )


PICTURES = response.ToolUsageImageGen(
    input_tokens=90,
    input_tokens_details=response.ToolUsageImageGenInputTokensDetails(image_tokens=40, text_tokens=50),
    cached_tokens=30,
    cached_tokens_details=response.ToolUsageImageGenCachedTokensDetails(cached_image_tokens=0, cached_text_tokens=30),
    output_tokens=2_112,
    output_tokens_details=response.ToolUsageImageGenOutputTokensDetails(image_tokens=2_100, text_tokens=12),
    total_tokens=2_202,
)
WITH_PICTURES = answered(
    [drawn("completed"), drawn("failed"), drawn("completed")],
    tool_usage(pictures=PICTURES),
    [tool.ImageGeneration(type="image_generation", model="gpt-image-1.5")],
)
OF_PICTURES = {
    "usage_type": "images",
    "model": "gpt-image-1.5",
    "num_model_requests": 2,
    "images": 2,
    "input_tokens": 90,
    "input_cached_tokens": 30,
    "input_image_tokens": 40,
    "output_tokens": 2_112,
    "output_image_tokens": 2_100,
}
WRITTEN: dict[str, Any] = {
    "model": "gpt-5.4-mini",
    "input_tokens": 300,
    "output_tokens": 900,
    "reasoning_tokens": 200,
    "total_tokens": 1_200,
}
OF_DRAWING = {**COMPLETION, "model": "gpt-5.4-mini", "input_tokens": 300, "output_tokens": 900} | {
    "output_reasoning_tokens": 200
}
IMAGES = [
    Sample(
        "OpenAI Responses, which had pictures made",
        "openai",
        "responses",
        WITH_PICTURES,
        RESPONSE,
        tools={"im": OF_PICTURES},
        second="responses",
    ),
    Sample(
        "OpenAI Responses, which does not say what its picture used",
        "openai",
        "responses",
        answered([drawn("generating")]),
        RESPONSE,
        tools={"im": {"usage_type": "images", "model": "image_generation", "images": 1}},
        second="responses",
    ),
    Sample(
        "OpenAI Responses, whose pictures were written as SVG",
        "openai",
        "responses",
        answered(
            [drawn("completed", response_output_item.ImageGenerationCallSvgUsage(**WRITTEN))] * 2,
            tool_usage(pictures=PICTURES),
            [tool.ImageGeneration(type="image_generation", model="gpt-image-1.5")],
        ),
        RESPONSE,
        tools={"im": OF_PICTURES, "svg": OF_DRAWING, "svg2": OF_DRAWING},
        second="responses",
    ),
    Sample(
        "a picture that was written as SVG",
        "openai",
        "images",
        ImagesResponse(
            created=1_795_000_000,
            data=[Image(b64_json="aGVsbG8=")],
            svg_usage=images_response.SvgUsage(**WRITTEN),
            usage=images_response.Usage(
                input_tokens=50,
                input_tokens_details=images_response.UsageInputTokensDetails(image_tokens=0, text_tokens=50),
                output_tokens=1_056,
                output_tokens_details=images_response.UsageOutputTokensDetails(image_tokens=1_056, text_tokens=0),
                total_tokens=1_106,
            ),
        ).model_dump(mode="json"),
        {"usage_type": "images", "id": "req-svg", "model": "gpt-image-2.6-sunburst", "images": 1}
        | {"input_tokens": 50, "output_tokens": 1_056, "output_image_tokens": 1_056},
        tools={"svg": OF_DRAWING},
        said={"id": "req-svg", "model": "gpt-image-2.6-sunburst"},
        second="images",
    ),
]
BESIDE = [*ANTHROPIC, *OPENAI, *IMAGES]
