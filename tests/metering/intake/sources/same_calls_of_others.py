"""The same calls of providers whose ways of counting differ from OpenAI's."""

from typing import Final

from tests.metering.intake.sources.same_calls import Call, genai, litellm, some

ANTHROPIC: Final = Call(
    "Anthropic with both lifetimes of the cache, and thinking",
    event={
        **some(usage_type="completions", provider="anthropic", model="claude-sonnet-4-5-20250929"),
        **some(input_tokens=909, input_cached_tokens=188, input_cache_write_tokens=700),
        **some(input_cache_write_long_tokens=100, output_tokens=393, output_reasoning_tokens=120),
    },
    item={
        "provider": "anthropic",
        "response": {
            **some(id="msg_1", type="message", model="claude-sonnet-4-5-20250929"),
            "usage": {
                **some(input_tokens=21, cache_read_input_tokens=188, cache_creation_input_tokens=700),
                "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 100},
                "output_tokens": 393,
                "output_tokens_details": {"thinking_tokens": 120},
                "service_tier": "standard",
            },
        },
    },
    payload=litellm(
        "anthropic",
        "claude-sonnet-4-5-20250929",
        {
            **some(prompt_tokens=909, completion_tokens=393, total_tokens=1302),
            "prompt_tokens_details": {
                **some(cached_tokens=188, cache_creation_tokens=700, text_tokens=21),
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 100},
            },
            "completion_tokens_details": {"reasoning_tokens": 120, "text_tokens": 273},
            **some(cache_read_input_tokens=188, cache_creation_input_tokens=700),
        },
    ),
    span=genai(
        *("chat", "anthropic", "claude-sonnet-4-5-20250929"),
        input_tokens=909,
        output_tokens=393,
        cache_read__input_tokens=188,
        cache_creation__input_tokens=700,
        reasoning__output_tokens=120,
    ),
    not_in_span=("input_cache_write_long_tokens",),
)
ANTHROPIC_BATCH: Final = Call(
    "Anthropic in a batch",
    event={
        **some(usage_type="completions", provider="anthropic", model="claude-haiku-4-5", batch=True),
        **some(input_tokens=621, input_cache_write_tokens=600, output_tokens=40),
    },
    item={
        "provider": "anthropic",
        "response": {
            **some(id="msg_1", type="message", model="claude-haiku-4-5"),
            "usage": {
                **some(input_tokens=21, cache_read_input_tokens=0, cache_creation_input_tokens=600),
                "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 0},
                **some(output_tokens=40, service_tier="batch"),
            },
        },
    },
    payload=litellm(
        "anthropic",
        "claude-haiku-4-5",
        {
            **some(prompt_tokens=621, completion_tokens=40, total_tokens=661),
            "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": 600},
            "service_tier": "batch",
        },
    ),
    span=genai(
        *("chat", "anthropic", "claude-haiku-4-5"),
        input_tokens=621,
        output_tokens=40,
        cache_write__input_tokens=600,
    )
    | {"anthropic.response.service_tier": "batch"},
)
PASSES: Final = [
    some(type="compaction", input_tokens=210_000, output_tokens=3_500),
    some(type="message", input_tokens=23_000, output_tokens=1_000),
]
ANTHROPIC_COMPACTED: Final = Call(
    "Anthropic, which compacted a long context before it answered",
    event={
        **some(usage_type="completions", provider="anthropic", model="claude-sonnet-4-5-20250929"),
        **some(input_tokens=23_000, output_tokens=1_000),
    },
    item={
        "provider": "anthropic",
        "response": {
            **some(id="msg_1", type="message", model="claude-sonnet-4-5-20250929"),
            "usage": some(input_tokens=23_000, output_tokens=1_000, iterations=PASSES),
        },
    },
    payload=litellm(
        "anthropic",
        "claude-sonnet-4-5-20250929",
        some(prompt_tokens=23_000, completion_tokens=1_000, total_tokens=24_000, iterations=PASSES),
    ),
    tools={
        "cp": some(usage_type="completions", num_model_requests=0, input_tokens=210_000, output_tokens=3_500),
    },
)
GEMINI: Final = Call(
    "Gemini with audio of which some was cached, and thoughts",
    event={
        **some(usage_type="completions", provider="google", model="gemini-2.5-flash"),
        **some(input_tokens=5000, input_cached_tokens=2000, input_audio_tokens=1500),
        **some(output_tokens=900, output_reasoning_tokens=600),
    },
    item={
        "provider": "google",
        "response": {
            **some(responseId="gem-1", modelVersion="gemini-2.5-flash"),
            "usageMetadata": {
                **some(promptTokenCount=5000, cachedContentTokenCount=2000),
                **some(candidatesTokenCount=300, thoughtsTokenCount=600, totalTokenCount=5900),
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 2700},
                    {"modality": "AUDIO", "tokenCount": 2300},
                ],
                "cacheTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 1200},
                    {"modality": "AUDIO", "tokenCount": 800},
                ],
            },
        },
    },
    payload=litellm(
        "gemini",
        "gemini-2.5-flash",
        {
            **some(prompt_tokens=5000, completion_tokens=900, total_tokens=5900),
            "prompt_tokens_details": {"cached_tokens": 2000, "audio_tokens": 1500, "text_tokens": 1500},
            "completion_tokens_details": {"reasoning_tokens": 600, "text_tokens": 300},
            **some(cache_read_input_tokens=2000, reasoning_tokens=600),
        },
    ),
    span=genai(
        *("generate_content", "gcp.gemini", "gemini-2.5-flash"),
        input_tokens=5000,
        output_tokens=900,
        cache_read__input_tokens=2000,
        audio__input_tokens=2300,
        audio__cache_read__input_tokens=800,
        reasoning__output_tokens=600,
    ),
)
GEMINI_TOOLS: Final = Call(
    "Gemini with what its own tools read, which LiteLLM has in the total alone",
    event={
        **some(usage_type="completions", provider="google", model="gemini-2.5-flash"),
        **some(input_tokens=447, output_tokens=169, output_reasoning_tokens=140),
    },
    item={
        "provider": "vertex_ai",
        "response": {
            **some(responseId="gem-1", modelVersion="gemini-2.5-flash"),
            "usageMetadata": {
                **some(promptTokenCount=199, toolUsePromptTokenCount=248, candidatesTokenCount=29),
                **some(thoughtsTokenCount=140, totalTokenCount=616),
            },
        },
    },
    payload=litellm(
        "vertex_ai",
        "gemini-2.5-flash",
        {
            **some(prompt_tokens=199, completion_tokens=169, total_tokens=616),
            "prompt_tokens_details": {"cached_tokens": None, "text_tokens": 199},
            "completion_tokens_details": {"reasoning_tokens": 140, "text_tokens": 29},
        },
    ),
    span=genai(
        *("generate_content", "gcp.vertex_ai", "gemini-2.5-flash"),
        input_tokens=447,
        output_tokens=169,
        reasoning__output_tokens=140,
    ),
)
BEDROCK: Final = Call(
    "Bedrock Converse, which counts the cache beside the input",
    event={
        **some(usage_type="completions", provider="aws", model="anthropic.claude-sonnet-4-5-20250929-v1:0"),
        **some(input_tokens=909, input_cached_tokens=188, input_cache_write_tokens=700, output_tokens=393),
    },
    item={
        **some(provider="bedrock", api="converse", model="anthropic.claude-sonnet-4-5-20250929-v1:0"),
        "response": {
            "usage": {
                **some(inputTokens=21, outputTokens=393, totalTokens=1302),
                **some(cacheReadInputTokens=188, cacheWriteInputTokens=700),
            },
            "ResponseMetadata": {"RequestId": "9d8b"},
        },
    },
    payload=litellm(
        "bedrock",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        {
            **some(prompt_tokens=909, completion_tokens=393, total_tokens=1302),
            "prompt_tokens_details": {"cached_tokens": 188, "cache_creation_tokens": 700},
            **some(cache_read_input_tokens=188, cache_creation_input_tokens=700),
        },
    ),
    span=genai(
        *("chat", "aws.bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        input_tokens=21,
        output_tokens=393,
        cache_read__input_tokens=188,
        cache_creation__input_tokens=700,
    ),
    scope="opentelemetry.instrumentation.bedrock",
)
XAI: Final = Call(
    "xAI, whose reasoning stands beside the completion",
    event={
        **some(usage_type="completions", provider="x-ai", model="grok-4"),
        **some(input_tokens=41, input_cached_tokens=8, output_tokens=759, output_reasoning_tokens=655),
    },
    item={
        "provider": "xai",
        "response": {
            **some(id="xai-1", model="grok-4"),
            "usage": {
                **some(prompt_tokens=41, completion_tokens=104, total_tokens=800),
                "prompt_tokens_details": {"text_tokens": 41, "cached_tokens": 8},
                "completion_tokens_details": {"reasoning_tokens": 655},
            },
        },
    },
    payload=litellm(
        "xai",
        "grok-4",
        {
            **some(prompt_tokens=41, completion_tokens=104, total_tokens=800),
            "prompt_tokens_details": {"text_tokens": 41, "cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 655},
        },
    ),
    span={
        "openinference.span.kind": "LLM",
        "llm.model_name": "grok-4",
        "llm.provider": "xai",
        "llm.token_count.total": 800,
        "llm.token_count.prompt": 41,
        "llm.token_count.completion": 104,
        "llm.token_count.prompt_details.cache_read": 8,
        "llm.token_count.completion_details.reasoning": 655,
    },
)
OTHERS: Final = (ANTHROPIC, ANTHROPIC_BATCH, ANTHROPIC_COMPACTED, GEMINI, GEMINI_TOOLS, BEDROCK, XAI)
