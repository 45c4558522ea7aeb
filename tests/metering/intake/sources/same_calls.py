"""Calls of providers, each as its provider answers it and as each of our ways in hears of it from the senders that people run.

The events were worked out by hand from the answers. LiteLLM's usage is what its transformations make of the answer, spans are
those of published instrumentations.
"""

from dataclasses import dataclass, field
from typing import Any, Final

Fields = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """`event` in our words, without the id, the time and the key; `tools` are events beside it, by the suffix of their ids.

    `item` is what an item of /v1/usage/responses says, `payload` what differs in LiteLLM's payload. `span` has the attributes
    of a span, which says nothing of the measures `not_in_span` and of the tools; it is None where no convention has a span.
    """

    name: str
    event: Fields
    item: Fields
    payload: Fields
    span: Fields | None = None
    scope: str = "some.instrumentation"
    not_in_span: tuple[str, ...] = ()
    tools: dict[str, Fields] = field(default_factory=dict)


def some(**fields: Any) -> Fields:
    """Several on a line."""
    return fields


def genai(operation: str, provider: str, model: str, **usage: int) -> Fields:
    """The attributes of the conventions; `__` for `.` in the names of what was used."""
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        **{f"gen_ai.usage.{name.replace('__', '.')}": number for name, number in usage.items()},
    }


def litellm(provider: str, model: str, usage: Fields, call_type: str = "acompletion", **more: Any) -> Fields:
    """LiteLLM's payload where nothing of the answer is kept but what is said here."""
    return {
        "call_type": call_type,
        "custom_llm_provider": provider,
        "model": f"{provider}/{model}",
        "metadata": {"usage_object": usage},
        "response": {"model": model, **more},
    }


OPENAI_CHAT: Final = Call(
    "OpenAI chat with cached input and reasoning, in a tier of its own",
    event={
        **some(usage_type="completions", provider="openai", model="gpt-5-mini", service_tier="flex"),
        **some(input_tokens=2006, input_cached_tokens=1920, output_tokens=300, output_reasoning_tokens=192),
    },
    item={
        "provider": "openai",
        "response": {
            **some(id="chatcmpl-1", object="chat.completion", model="gpt-5-mini", service_tier="flex"),
            "usage": {
                **some(prompt_tokens=2006, completion_tokens=300, total_tokens=2306),
                "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0},
            },
        },
    },
    payload=litellm(
        "openai",
        "gpt-5-mini",
        {
            **some(prompt_tokens=2006, completion_tokens=300, total_tokens=2306),
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0, "text_tokens": None},
            "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0, "text_tokens": None},
        },
        service_tier="flex",
    ),
    span=genai(
        *("chat", "openai", "gpt-5-mini"),
        input_tokens=2006,
        output_tokens=300,
        cache_read__input_tokens=1920,
        reasoning__output_tokens=192,
    )
    | {"openai.response.service_tier": "flex"},
)
WITHOUT_ANSWER: Final = Call(
    "OpenAI chat through senders that keep nothing of the answer",
    event=OPENAI_CHAT.event,
    item={**OPENAI_CHAT.item, "response": None, "usage": OPENAI_CHAT.item["response"]["usage"]}
    | {"id": "chatcmpl-1", "model": "gpt-5-mini", "service_tier": "flex"},
    payload={**OPENAI_CHAT.payload, "response": "redacted-by-litellm"}
    | {"model_parameters": {"temperature": 0.2, "service_tier": "flex"}},
    span={name: value for name, value in (OPENAI_CHAT.span or {}).items() if ".response." not in name}
    | {"openai.request.service_tier": "flex"},
)
OPENAI_AUDIO: Final = Call(
    "OpenAI chat with audio in and out",
    event={
        **some(usage_type="completions", provider="openai", model="gpt-4o-audio-preview"),
        **some(input_tokens=150, input_audio_tokens=110, output_tokens=90, output_audio_tokens=70),
    },
    item={
        "provider": "openai",
        "response": {
            **some(id="chatcmpl-1", model="gpt-4o-audio-preview"),
            "usage": {
                **some(prompt_tokens=150, completion_tokens=90, total_tokens=240),
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 110, "text_tokens": 40},
                "completion_tokens_details": {"audio_tokens": 70, "text_tokens": 20},
            },
        },
    },
    payload=litellm(
        "openai",
        "gpt-4o-audio-preview",
        {
            **some(prompt_tokens=150, completion_tokens=90, total_tokens=240),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 110, "text_tokens": 40},
            "completion_tokens_details": {"audio_tokens": 70, "text_tokens": 20},
        },
    ),
    span=genai(
        *("chat", "openai", "gpt-4o-audio-preview"),
        input_tokens=150,
        output_tokens=90,
        audio__input_tokens=110,
        audio__output_tokens=70,
    ),
)
OPENAI_RESPONSES: Final = Call(
    "OpenAI Responses with hosted tools",
    event={
        **some(usage_type="completions", provider="openai", model="gpt-4.1"),
        **some(input_tokens=3000, input_cached_tokens=1024, output_tokens=200),
    },
    item={
        "provider": "openai",
        "api": "responses",
        "response": {
            **some(id="resp_1", object="response", model="gpt-4.1", service_tier="default"),
            "output": [
                {"type": "web_search_call", "id": "ws_1"},
                {"type": "web_search_call", "id": "ws_2"},
                {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"},
            ],
            "usage": {
                **some(input_tokens=3000, output_tokens=200, total_tokens=3200),
                "input_tokens_details": {"cached_tokens": 1024},
                "output_tokens_details": {"reasoning_tokens": 0},
            },
        },
    },
    payload=litellm(
        "openai",
        "gpt-4.1",
        {
            **some(prompt_tokens=3000, completion_tokens=200, total_tokens=3200),
            "prompt_tokens_details": {"cached_tokens": 1024},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "aresponses",
        output=[
            {"type": "web_search_call", "id": "ws_1"},
            {"type": "web_search_call", "id": "ws_2"},
            {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"},
        ],
    ),
    span=genai(*("chat", "openai", "gpt-4.1"), input_tokens=3000, output_tokens=200, cache_read__input_tokens=1024),
    tools={
        "ws": {"usage_type": "web_search_calls", "num_model_requests": 2},
        "ci": {"usage_type": "code_interpreter_sessions", "num_model_requests": 1, "num_sessions": 1},
    },
)
EMBEDDINGS: Final = Call(
    "embeddings",
    event={
        "usage_type": "embeddings",
        **some(provider="openai", model="text-embedding-3-small", input_tokens=8),
    },
    item={
        **some(provider="openai", api="embeddings", id="req-1"),
        "response": {"model": "text-embedding-3-small", "usage": {"prompt_tokens": 8, "total_tokens": 8}},
    },
    payload=litellm(
        "openai",
        "text-embedding-3-small",
        {"prompt_tokens": 8, "completion_tokens": 0, "total_tokens": 8},
        "aembedding",
    ),
    span=genai("embeddings", "openai", "text-embedding-3-small", input_tokens=8),
)
IMAGE: Final = Call(
    "an image",
    event={
        **some(usage_type="images", provider="openai", model="gpt-image-1", images=1),
        **some(input_tokens=50, input_image_tokens=40, output_tokens=1056, output_image_tokens=1056),
    },
    item={
        **some(provider="openai", api="images", id="req-1", model="gpt-image-1"),
        "response": {
            "data": [{"b64_json": "aGVsbG8="}],
            "usage": {
                **some(input_tokens=50, output_tokens=1056, total_tokens=1106),
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            },
        },
    },
    payload=litellm(
        "openai",
        "gpt-image-1",
        {
            **some(input_tokens=50, output_tokens=1056, total_tokens=1106),
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
        },
        "aimage_generation",
        data=[{"b64_json": "aGVsbG8="}],
    ),
)
TRANSCRIPTION: Final = Call(
    "a transcription by the token",
    event={
        **some(usage_type="audio_transcriptions", provider="openai", model="gpt-4o-transcribe"),
        **some(input_tokens=14, input_audio_tokens=10, output_tokens=45),
    },
    item={
        **some(provider="openai", api="transcriptions", id="req-1", model="gpt-4o-transcribe"),
        "response": {
            "text": "Hello",
            "usage": {
                **some(type="tokens", input_tokens=14, output_tokens=45, total_tokens=59),
                "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
            },
        },
    },
    payload=litellm(
        "openai",
        "gpt-4o-transcribe",
        {
            **some(type="tokens", input_tokens=14, output_tokens=45, total_tokens=59),
            "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        },
        "atranscription",
    ),
)
SECONDS: Final = Call(
    "a transcription by the second",
    event={"usage_type": "audio_transcriptions", "provider": "openai", "model": "whisper-1", "seconds": 13},
    item={
        **some(provider="openai", api="transcriptions", id="req-1", model="whisper-1"),
        "response": {"text": "Hello", "usage": {"type": "duration", "seconds": 12.5}},
    },
    payload=litellm("openai", "whisper-1", {"type": "duration", "seconds": 12.5}, "atranscription"),
)
SPEECH: Final = Call(
    "speech by the character",
    event={"usage_type": "audio_speeches", "provider": "openai", "model": "tts-1", "characters": 431},
    item={"provider": "openai", "api": "speech", "id": "req-1", "model": "tts-1", "characters": 431},
    payload=litellm("openai", "tts-1", {"prompt_tokens_details": {"character_count": 431}}, "aspeech"),
)
OPENAI: Final = (
    *(OPENAI_CHAT, WITHOUT_ANSWER, OPENAI_AUDIO, OPENAI_RESPONSES),
    *(EMBEDDINGS, IMAGE, TRANSCRIPTION, SECONDS, SPEECH),
)
