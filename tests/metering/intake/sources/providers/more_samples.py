"""Answers of Anthropic, Gemini and Bedrock, and lines of batches."""

from openai.types import Image, ImagesResponse, Moderation, ModerationCreateResponse

from tests.metering.intake.sources.providers.samples import COMPLETION, MESSAGE, Sample

CLAUDE = {
    "input_tokens": 21,
    "cache_creation_input_tokens": 700,
    "cache_read_input_tokens": 188,
    "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 393,
}
CLAUDE_MEASURES = {
    "input_tokens": 909,
    "input_cached_tokens": 188,
    "input_cache_write_tokens": 700,
    "input_cache_write_long_tokens": 200,
    "output_tokens": 393,
}
OTHERS = [
    Sample(
        "Anthropic: the cache stands beside the input, in both lifetimes",
        "anthropic",
        "messages",
        {"id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "model": "claude-opus-4-6"}
        | {"content": [{"type": "text", "text": "Hi"}]}
        | {
            "usage": CLAUDE
            | {
                "output_tokens_details": {"thinking_tokens": 300},
                "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1},
                "service_tier": "standard",
                "speed": "fast",
                "inference_geo": "us",
            }
        },
        {**COMPLETION, "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "model": "claude-opus-4-6", **CLAUDE_MEASURES}
        | {"output_reasoning_tokens": 300, "speed": "fast", "region": "us"},
        tools={"ws": {"usage_type": "web_search_calls", "model": "claude-opus-4-6", "num_model_requests": 3}},
        second="default",
    ),
    Sample(
        "Anthropic, before there were lifetimes",
        "anthropic",
        "messages",
        {"id": "msg_old", "model": "claude-3-5-sonnet-20241022"}
        | {
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 0,
                "output_tokens": 9,
                "service_tier": "priority",
                "speed": "standard",
                "inference_geo": "not_available",
            }
        },
        {**COMPLETION, "id": "msg_old", "model": "claude-3-5-sonnet-20241022", "service_tier": "priority"}
        | {"input_tokens": 105, "input_cache_write_tokens": 100, "output_tokens": 9},
        second="default",
    ),
    Sample(
        "Anthropic's tier of batches",
        "anthropic",
        "messages",
        {"id": "msg_b", "model": "claude-sonnet-4-5"}
        | {"usage": {"input_tokens": 5, "output_tokens": 9, "service_tier": "batch", "cache_creation": None}},
        {
            **COMPLETION,
            "id": "msg_b",
            "model": "claude-sonnet-4-5",
            "batch": True,
            "input_tokens": 5,
            "output_tokens": 9,
        },
        second="default",
    ),
    Sample(
        "Claude by Bedrock's InvokeModel",
        "bedrock",
        "messages",
        {"id": "msg_bdrk_1", "model": "claude-sonnet-4-5-20250929", "usage": CLAUDE},
        {**COMPLETION, "id": "msg_bdrk_1", "model": "claude-sonnet-4-5-20250929", **CLAUDE_MEASURES},
        second="anthropic",
    ),
    Sample(
        "Gemini: prompts of tools and thoughts stand beside",
        "google",
        "generate_content",
        {
            "candidates": [{"content": {"parts": [{"text": "Hi"}]}}],
            "modelVersion": "gemini-2.5-flash",
            "responseId": "g-1",
        }
        | {
            "usageMetadata": {
                "promptTokenCount": 1000,
                "toolUsePromptTokenCount": 40,
                "cachedContentTokenCount": 600,
                "candidatesTokenCount": 70,
                "thoughtsTokenCount": 300,
                "totalTokenCount": 1410,
                "trafficType": "ON_DEMAND",
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 400},
                    {"modality": "AUDIO", "tokenCount": 300},
                    {"modality": "IMAGE", "tokenCount": 258},
                    {"modality": "VIDEO", "tokenCount": 42},
                ],
                "cacheTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 350},
                    {"modality": "AUDIO", "tokenCount": 250},
                ],
                "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 70}],
                "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
            }
        },
        {
            **COMPLETION,
            "id": "g-1",
            "model": "gemini-2.5-flash",
            "input_tokens": 1040,
            "input_cached_tokens": 600,
            "input_audio_tokens": 50,
            "input_image_tokens": 258,
            "input_video_tokens": 42,
            "output_tokens": 370,
            "output_reasoning_tokens": 300,
        },
        changes=("cached_media_taken_off",),
        second="default",
        differs={"input_audio_tokens": (50, 300)},
        because="the package gives all audio and the cached audio beside it; ours is the difference",
    ),
    Sample(
        "Gemini's pictures and sound",
        "vertex_ai",
        "generate_content",
        {"modelVersion": "gemini-2.5-flash-image", "responseId": "g-2"}
        | {
            "usageMetadata": {
                "promptTokenCount": 20,
                "candidatesTokenCount": 1390,
                "totalTokenCount": 1410,
                "trafficType": "ON_DEMAND_PRIORITY",
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
                "candidatesTokensDetails": [
                    {"modality": "IMAGE", "tokenCount": 1290},
                    {"modality": "AUDIO", "tokenCount": 100},
                ],
            }
        },
        {**COMPLETION, "id": "g-2", "model": "gemini-2.5-flash-image", "service_tier": "priority", "input_tokens": 20}
        | {"output_tokens": 1390, "output_image_tokens": 1290, "output_audio_tokens": 100},
        second="default",
    ),
    Sample(
        "Gemini in the names of the Python SDK",
        "google",
        "generate_content",
        {"model_version": "gemini-2.5-pro", "response_id": "g-3"}
        | {
            "usage_metadata": {
                "prompt_token_count": 12,
                "candidates_token_count": 5,
                "thoughts_token_count": 7,
                "total_token_count": 24,
                "cached_content_token_count": None,
                "prompt_tokens_details": [
                    {"modality": "TEXT", "token_count": 4},
                    {"modality": "AUDIO", "token_count": 8},
                ],
                "traffic_type": "PROVISIONED_THROUGHPUT",
            }
        },
        {**COMPLETION, "id": "g-3", "model": "gemini-2.5-pro", "input_tokens": 12, "input_audio_tokens": 8}
        | {"output_tokens": 12, "output_reasoning_tokens": 7},
        changes=("provisioned_throughput",),
    ),
    Sample(
        "Gemini by the Vercel or any other shape that is OpenAI's",
        "google",
        "chat",
        {"id": "gc-1", "model": "gemini-2.5-flash", **MESSAGE}
        | {"usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 47}},
        {**COMPLETION, "id": "gc-1", "model": "gemini-2.5-flash", "input_tokens": 12, "output_tokens": 35},
        changes=("total_says_more_output",),
        second="chat",
        differs={"output_tokens": (35, 5)},
        because="the total has thoughts that the completion leaves out; the package does not look at totals",
    ),
    Sample(
        "Bedrock Converse: the cache stands beside the input, in both lifetimes",
        "aws.bedrock",
        "converse",
        {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn"}
        | {"metrics": {"latencyMs": 1551}, "serviceTier": {"type": "flex"}}
        | {"ResponseMetadata": {"RequestId": "d7c3dd1c", "HTTPStatusCode": 200, "RetryAttempts": 0}}
        | {
            "usage": {
                "inputTokens": 30,
                "outputTokens": 628,
                "totalTokens": 2158,
                "cacheReadInputTokens": 1000,
                "cacheWriteInputTokens": 500,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 400}, {"ttl": "5m", "inputTokens": 100}],
            }
        },
        {
            **COMPLETION,
            "id": "d7c3dd1c",
            "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "service_tier": "flex",
        }
        | {"input_tokens": 1530, "input_cached_tokens": 1000, "input_cache_write_tokens": 500}
        | {"input_cache_write_long_tokens": 400, "output_tokens": 628},
        said={"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        second="default",
    ),
    Sample(
        "the headers of Bedrock's InvokeModel",
        "bedrock",
        "invoke_headers",
        {
            "headers": {
                "X-Amzn-Bedrock-Input-Token-Count": "30",
                "X-Amzn-Bedrock-Output-Token-Count": "628",
                "X-Amzn-Bedrock-Cache-Read-Input-Token-Count": "1000",
                "X-Amzn-Bedrock-Cache-Write-Input-Token-Count": "500",
                "x-amzn-RequestId": "d7c3dd1d",
                "Content-Type": "application/json",
            }
        },
        {**COMPLETION, "id": "d7c3dd1d", "model": "amazon.nova-pro-v1:0", "input_tokens": 1530}
        | {"input_cached_tokens": 1000, "input_cache_write_tokens": 500, "output_tokens": 628},
        said={"model": "amazon.nova-pro-v1:0"},
    ),
]

BATCHES = [
    Sample(
        "a line of a batch of chat completions",
        "openai",
        "batch",
        {"id": "batch_req_1", "custom_id": "request-2", "error": None}
        | {
            "response": {
                "status_code": 200,
                "request_id": "req_9",
                "body": {"id": "chatcmpl-b", "object": "chat.completion", "model": "gpt-4o-mini", **MESSAGE}
                | {"usage": {"prompt_tokens": 22, "completion_tokens": 2, "total_tokens": 24}},
            }
        },
        {
            **COMPLETION,
            "id": "batch_req_1",
            "model": "gpt-4o-mini",
            "batch": True,
            "input_tokens": 22,
            "output_tokens": 2,
        },
    ),
    Sample(
        "a line of a batch of Responses",
        "openai",
        "batch",
        {"id": "batch_req_2", "custom_id": "request-3"}
        | {
            "response": {
                "status_code": 200,
                "body": {
                    "id": "resp_b",
                    "object": "response",
                    "model": "gpt-5.4",
                    "output": [{"type": "web_search_call"}],
                }
                | {"usage": {"input_tokens": 22, "output_tokens": 2, "total_tokens": 24}},
            }
        },
        {**COMPLETION, "id": "batch_req_2", "model": "gpt-5.4", "batch": True, "input_tokens": 22, "output_tokens": 2},
        tools={"ws": {"usage_type": "web_search_calls", "model": "gpt-5.4", "num_model_requests": 1}},
    ),
    Sample(
        "a line of a batch of embeddings",
        "openai",
        "batch",
        {"id": "batch_req_3", "custom_id": "request-4"}
        | {
            "response": {
                "status_code": 200,
                "body": {"object": "list", "data": [], "model": "text-embedding-3-small"}
                | {"usage": {"prompt_tokens": 8, "total_tokens": 8}},
            }
        },
        {"usage_type": "embeddings", "id": "batch_req_3", "model": "text-embedding-3-small", "batch": True}
        | {"input_tokens": 8},
    ),
    Sample(
        "a line of a batch of moderations, which do not say what they are",
        "openai",
        "batch",
        {"id": "batch_req_4", "custom_id": "request-5"}
        | {
            "response": {
                "status_code": 200,
                "body": ModerationCreateResponse(
                    id="modr-b", model="omni-moderation-latest", results=[Moderation.model_construct(flagged=False)]
                ).model_dump(mode="json"),
            }
        },
        {"usage_type": "moderations", "id": "batch_req_4", "model": "omni-moderation-latest", "batch": True},
    ),
    Sample(
        "a line of a batch of images, which say neither what they are nor their model",
        "openai",
        "batch",
        {"id": "batch_req_5", "custom_id": "request-6"}
        | {
            "response": {
                "status_code": 200,
                "body": ImagesResponse(created=1_795_000_000, data=[Image(b64_json="aGVsbG8=")]).model_dump(mode="json")
                | {"usage": {"input_tokens": 50, "output_tokens": 1056, "total_tokens": 1106}},
            }
        },
        {"usage_type": "images", "id": "batch_req_5", "model": "gpt-image-1-mini", "batch": True, "images": 1}
        | {"input_tokens": 50, "output_tokens": 1056, "output_image_tokens": 1056},
        said={"model": "gpt-image-1-mini"},
    ),
    Sample(
        "a result of Anthropic's batch",
        "anthropic",
        "batch",
        {"custom_id": "my-request"}
        | {
            "result": {
                "type": "succeeded",
                "message": {"id": "msg_mb", "type": "message", "model": "claude-sonnet-4-5"}
                | {"usage": CLAUDE | {"service_tier": "batch"}},
            }
        },
        {**COMPLETION, "id": "msg_mb", "model": "claude-sonnet-4-5", "batch": True, **CLAUDE_MEASURES},
    ),
    Sample(
        "a line of Gemini's batch",
        "gemini",
        "batch",
        {"key": "request-1"}
        | {
            "response": {
                "modelVersion": "gemini-2.5-flash",
                "responseId": "g-b",
                "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10},
            }
        },
        {**COMPLETION, "id": "g-b", "model": "gemini-2.5-flash", "batch": True, "input_tokens": 9, "output_tokens": 1},
    ),
]
