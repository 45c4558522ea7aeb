"""A body for each way in, to copy: nothing of it is refused once it says the reader's own key and the time."""

from typing import Any, Final

from accounts.installation.described import KEY, NOW, NOW_NANOSECONDS, NOW_SECONDS, ORGANIZATION

MODEL: Final = "gpt-4o"
SPAN_ATTRIBUTES: Final = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": MODEL,
    "usage_dashboard.api_key_id": KEY,
}
SPAN_COUNTS: Final = {"gen_ai.usage.input_tokens": "1200", "gen_ai.usage.output_tokens": "85"}

EVENT: Final[dict[str, Any]] = {
    "id": "req_8f2c",
    "timestamp": NOW,
    "api_key_id": KEY,
    "organization": ORGANIZATION,
    "usage_type": "completions",
    "model": MODEL,
    "input_tokens": 1200,
    "input_cached_tokens": 1000,
    "output_tokens": 85,
}
RESPONSE: Final[dict[str, Any]] = {
    "provider": "openai",
    "timestamp": NOW,
    "api_key_id": KEY,
    "response": {
        "id": "chatcmpl-8f2d",
        "object": "chat.completion",
        "model": MODEL,
        "usage": {"prompt_tokens": 1200, "completion_tokens": 85, "total_tokens": 1285},
    },
}
LITELLM: Final[list[dict[str, Any]]] = [
    {
        "id": "chatcmpl-8f2e",
        "call_type": "acompletion",
        "endTime": NOW_SECONDS,
        "custom_llm_provider": "openai",
        "model": MODEL,
        "prompt_tokens": 1200,
        "completion_tokens": 85,
        "total_tokens": 1285,
        "metadata": {"user_api_key_alias": KEY},
    }
]
SPANS: Final[dict[str, Any]] = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": f"chat {MODEL}",
                            "endTimeUnixNano": NOW_NANOSECONDS,
                            "attributes": [
                                *(
                                    {"key": name, "value": {"stringValue": text}}
                                    for name, text in SPAN_ATTRIBUTES.items()
                                ),
                                *({"key": name, "value": {"intValue": count}} for name, count in SPAN_COUNTS.items()),
                            ],
                        }
                    ]
                }
            ]
        }
    ]
}
CLOUD_EVENT: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "req_8f2f",
    "source": "gateway",
    "type": "usage",
    "time": NOW,
    "data": {"api_key_id": KEY, "usage_type": "completions", "model": MODEL, "input_tokens": 1200, "output_tokens": 85},
}
