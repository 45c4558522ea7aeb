"""Answers of providers as they come, shortened in what is not usage, and the measures that each was worked out by hand to be."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Sample:
    """One answer, the event that it becomes, and those beside it by their suffix: of tools, and of other work in the request.

    `second` is the API's name in the price list's package, which reads the same answer in its own way; empty where it knows
    none. `differs` says in which measures (ours → its), and `because` why.
    """

    name: str
    provider: str
    api: str
    answer: dict[str, Any]
    event: dict[str, Any]
    tools: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    said: dict[str, Any] = field(default_factory=dict)
    """What the sender says beside the answer."""
    second: str = ""
    differs: dict[str, tuple[int, int]] = field(default_factory=dict)
    because: str = ""


MESSAGE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Blue, because"}}]}
COMPLETION = {"usage_type": "completions"}

CHAT = [
    Sample(
        "OpenAI chat, with the cache read and written, and a tier",
        "openai",
        "chat",
        {
            "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
            "object": "chat.completion",
            "created": 1_795_000_000,
            "model": "gpt-5.4-2026-03-05",
            **MESSAGE,
            "usage": {
                "prompt_tokens": 2006,
                "completion_tokens": 300,
                "total_tokens": 2306,
                "prompt_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 64, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 192,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 10,
                    "rejected_prediction_tokens": 4,
                },
            },
            "service_tier": "priority",
        },
        {
            **COMPLETION,
            "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
            "model": "gpt-5.4-2026-03-05",
            "service_tier": "priority",
            "input_tokens": 2006,
            "input_cached_tokens": 1920,
            "input_cache_write_tokens": 64,
            "output_tokens": 300,
            "output_reasoning_tokens": 192,
        },
        second="chat",
    ),
    Sample(
        "OpenAI chat with audio, of which some may have been cached",
        "openai",
        "chat",
        {
            "id": "chatcmpl-audio",
            "model": "gpt-audio",
            **MESSAGE,
            "usage": {
                "prompt_tokens": 150,
                "completion_tokens": 90,
                "total_tokens": 240,
                "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 110, "text_tokens": 40},
                "completion_tokens_details": {"audio_tokens": 70, "text_tokens": 20},
            },
        },
        {
            **COMPLETION,
            "id": "chatcmpl-audio",
            "model": "gpt-audio",
            "input_tokens": 150,
            "input_cached_tokens": 64,
            "input_audio_tokens": 86,
            "output_tokens": 90,
            "output_audio_tokens": 70,
        },
        changes=("media_cut",),
        second="chat",
        differs={"input_audio_tokens": (86, 110)},
        because="the package counts cached audio as audio too, ours is the audio that was not cached",
    ),
    Sample(
        "the last chunk of a stream",
        "openai",
        "chat",
        {"id": "chatcmpl-s", "object": "chat.completion.chunk", "model": "gpt-4o", "choices": []}
        | {"usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}, "service_tier": "default"},
        {**COMPLETION, "id": "chatcmpl-s", "model": "gpt-4o", "input_tokens": 12, "output_tokens": 3},
        second="chat",
    ),
    Sample(
        "Azure",
        "azure",
        "chat",
        {"id": "chatcmpl-az", "model": "gpt-4.1-2025-04-14", "prompt_filter_results": [], **MESSAGE}
        | {
            "usage": {
                "prompt_tokens": 1200,
                "completion_tokens": 50,
                "total_tokens": 1250,
                "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": 1024},
                "completion_tokens_details": None,
            }
        },
        {**COMPLETION, "id": "chatcmpl-az", "model": "gpt-4.1-2025-04-14"}
        | {"input_tokens": 1200, "input_cached_tokens": 1024, "output_tokens": 50},
        second="chat",
    ),
    Sample(
        "Groq",
        "groq",
        "chat",
        {"id": "chatcmpl-gr", "model": "llama-3.3-70b-versatile", **MESSAGE, "service_tier": "on_demand"}
        | {
            "usage": {
                "queue_time": 0.037,
                "prompt_tokens": 40,
                "prompt_time": 0.0006,
                "completion_tokens": 600,
                "total_tokens": 640,
                "prompt_tokens_details": {"cached_tokens": 32},
            }
        },
        {**COMPLETION, "id": "chatcmpl-gr", "model": "llama-3.3-70b-versatile"}
        | {"input_tokens": 40, "input_cached_tokens": 32, "output_tokens": 600},
        second="default",
    ),
    Sample(
        "the last chunk of Groq's stream, which has the usage elsewhere",
        "groq",
        "chat",
        {"id": "chatcmpl-gs", "model": "llama-3.3-70b-versatile", "choices": []}
        | {"x_groq": {"id": "req_1", "usage": {"prompt_tokens": 40, "completion_tokens": 6, "total_tokens": 46}}},
        {**COMPLETION, "id": "chatcmpl-gs", "model": "llama-3.3-70b-versatile", "input_tokens": 40, "output_tokens": 6},
    ),
    Sample(
        "Mistral",
        "mistral",
        "chat",
        {"id": "cmpl-mi", "model": "mistral-large-latest", **MESSAGE}
        | {"usage": {"prompt_tokens": 16, "completion_tokens": 34, "total_tokens": 50}},
        {**COMPLETION, "id": "cmpl-mi", "model": "mistral-large-latest", "input_tokens": 16, "output_tokens": 34},
        second="default",
    ),
    Sample(
        "DeepSeek, which says the cache in two ways",
        "deepseek",
        "chat",
        {"id": "ds-1", "model": "deepseek-reasoner", **MESSAGE}
        | {
            "usage": {
                "prompt_tokens": 1100,
                "completion_tokens": 500,
                "total_tokens": 1600,
                "prompt_tokens_details": {"cached_tokens": 1024},
                "completion_tokens_details": {"reasoning_tokens": 420},
                "prompt_cache_hit_tokens": 1024,
                "prompt_cache_miss_tokens": 76,
            }
        },
        {**COMPLETION, "id": "ds-1", "model": "deepseek-reasoner", "input_tokens": 1100, "input_cached_tokens": 1024}
        | {"output_tokens": 500, "output_reasoning_tokens": 420},
        second="chat",
    ),
    Sample(
        "DeepSeek, in the older way alone",
        "deepseek",
        "chat",
        {"id": "ds-2", "model": "deepseek-chat", **MESSAGE}
        | {
            "usage": {
                "prompt_tokens": 1100,
                "completion_tokens": 5,
                "prompt_cache_hit_tokens": 1024,
                "total_tokens": 1105,
            }
        },
        {**COMPLETION, "id": "ds-2", "model": "deepseek-chat", "input_tokens": 1100, "input_cached_tokens": 1024}
        | {"output_tokens": 5},
        second="chat",
        differs={"input_cached_tokens": (1024, 0)},
        because="the package does not know the older name, and would charge cached input in full",
    ),
    Sample(
        "OpenRouter, with searches",
        "openrouter",
        "chat",
        {"id": "gen-1", "provider": "OpenAI", "model": "openai/gpt-4o", **MESSAGE}
        | {
            "usage": {
                "prompt_tokens": 194,
                "completion_tokens": 2,
                "total_tokens": 196,
                "cost": 0.95,
                "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 50, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
                "server_tool_use": {"web_search_requests": 2},
            }
        },
        {**COMPLETION, "id": "gen-1", "model": "openai/gpt-4o", "input_tokens": 194, "input_cached_tokens": 100}
        | {"input_cache_write_tokens": 50, "output_tokens": 2},
        tools={"ws": {"usage_type": "web_search_calls", "model": "openai/gpt-4o", "num_model_requests": 2}},
        second="chat",
    ),
    Sample(
        "Together, with the cache beside the details",
        "together",
        "chat",
        {"id": "oc-1", "model": "deepseek-ai/DeepSeek-V3.1", **MESSAGE}
        | {"usage": {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100, "cached_tokens": 64}},
        {**COMPLETION, "id": "oc-1", "model": "deepseek-ai/DeepSeek-V3.1", "input_tokens": 90}
        | {"input_cached_tokens": 64, "output_tokens": 10},
    ),
    Sample(
        "xAI, whose reasoning stands beside the completion",
        "xai",
        "chat",
        {"id": "xai-1", "model": "grok-4", **MESSAGE}
        | {
            "usage": {
                "prompt_tokens": 41,
                "completion_tokens": 104,
                "total_tokens": 800,
                "prompt_tokens_details": {"text_tokens": 41, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 8},
                "completion_tokens_details": {"reasoning_tokens": 655, "audio_tokens": 0},
            }
        },
        {**COMPLETION, "id": "xai-1", "model": "grok-4", "input_tokens": 41, "input_cached_tokens": 8}
        | {"output_tokens": 759, "output_reasoning_tokens": 655},
        second="chat",
    ),
    Sample(
        "Perplexity, whose reasoning and citations stand beside the completion",
        "perplexity",
        "chat",
        {"id": "pp-1", "model": "sonar-deep-research", "citations": ["https://example.com"], **MESSAGE}
        | {
            "usage": {
                "prompt_tokens": 33,
                "completion_tokens": 7163,
                "total_tokens": 7196,
                "citation_tokens": 20016,
                "num_search_queries": 18,
                "reasoning_tokens": 73997,
            }
        },
        {**COMPLETION, "id": "pp-1", "model": "sonar-deep-research", "input_tokens": 33, "output_tokens": 101176}
        | {"output_reasoning_tokens": 73997},
        tools={"ws": {"usage_type": "web_search_calls", "model": "sonar-deep-research", "num_model_requests": 18}},
        second="default",
    ),
    Sample(
        "a cluster of one's own in OpenAI's shape, whose output leaves the reasoning out",
        "our-own-cluster",
        "chat",
        {"id": "own-1", "model": "qwen3", **MESSAGE}
        | {
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 45,
                "completion_tokens_details": {"reasoning_tokens": 30},
            }
        },
        {**COMPLETION, "id": "own-1", "model": "qwen3", "input_tokens": 10, "output_tokens": 35}
        | {"output_reasoning_tokens": 30},
        changes=("total_says_more_output",),
    ),
]
