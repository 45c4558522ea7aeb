"""Answers of the other APIs of OpenAI, and of those who answer alike."""

from tests.metering.intake.sources.providers.samples import COMPLETION, Sample

RESPONSES = [
    Sample(
        "OpenAI Responses, with its hosted tools and both lifetimes of the cache",
        "openai",
        "responses",
        {
            "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
            "object": "response",
            "model": "gpt-5.4",
            "status": "completed",
            "service_tier": "flex",
            "output": [
                {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {"type": "web_search_call", "id": "ws_2", "status": "completed", "action": {"type": "search"}},
                {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["a"]},
                {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1", "code": "1"},
                {"type": "code_interpreter_call", "id": "ci_2", "container_id": "cntr_1", "code": "2"},
                {"type": "code_interpreter_call", "id": "ci_3", "container_id": "cntr_2", "code": "3"},
                {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "x"}]},
            ],
            "usage": {
                "input_tokens": 3000,
                "input_tokens_details": {
                    "cached_tokens": 1000,
                    "cache_write_tokens": 1500,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 500, "ttl_12h_tokens": 1000},
                },
                "output_tokens": 200,
                "output_tokens_details": {"reasoning_tokens": 128},
                "total_tokens": 3200,
            },
        },
        {
            **COMPLETION,
            "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
            "model": "gpt-5.4",
            "service_tier": "flex",
            "input_tokens": 3000,
            "input_cached_tokens": 1000,
            "input_cache_write_tokens": 1500,
            "input_cache_write_long_tokens": 1000,
            "output_tokens": 200,
            "output_reasoning_tokens": 128,
        },
        tools={
            "ws": {"usage_type": "web_search_calls", "model": "gpt-5.4", "num_model_requests": 2},
            "fs": {"usage_type": "file_search_calls", "model": "gpt-5.4", "num_model_requests": 1},
            "ci": {"usage_type": "code_interpreter_sessions", "model": "gpt-5.4", "num_model_requests": 3}
            | {"num_sessions": 2},
        },
        second="responses",
        differs={"input_cache_write_long_tokens": (1000, 0)},
        because="the package does not read OpenAI's lifetimes of the cache",
    ),
    Sample(
        "the last event of a stream of Responses",
        "openai",
        "responses",
        {"type": "response.completed", "sequence_number": 9}
        | {
            "response": {
                "id": "resp_s",
                "model": "gpt-4.1",
                "output": [],
                "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
            }
        },
        {**COMPLETION, "id": "resp_s", "model": "gpt-4.1", "input_tokens": 5, "output_tokens": 2},
    ),
    Sample(
        "xAI's Responses, whose reasoning is inside",
        "x-ai",
        "responses",
        {"id": "xr-1", "model": "grok-4", "output": []}
        | {
            "usage": {
                "input_tokens": 41,
                "input_tokens_details": {"cached_tokens": 8},
                "output_tokens": 759,
                "output_tokens_details": {"reasoning_tokens": 655},
                "total_tokens": 800,
            }
        },
        {**COMPLETION, "id": "xr-1", "model": "grok-4", "input_tokens": 41, "input_cached_tokens": 8}
        | {"output_tokens": 759, "output_reasoning_tokens": 655},
        second="responses",
    ),
    Sample(
        "Realtime: cached audio is in both counters",
        "openai",
        "realtime",
        {"type": "response.done", "event_id": "event_1"}
        | {
            "response": {
                "object": "realtime.response",
                "id": "resp_rt",
                "output": [{"type": "message", "content": [{"type": "audio", "transcript": "hello"}]}],
                "usage": {
                    "total_tokens": 1855,
                    "input_tokens": 1459,
                    "output_tokens": 396,
                    "input_token_details": {
                        "text_tokens": 1349,
                        "audio_tokens": 110,
                        "image_tokens": 0,
                        "cached_tokens": 1408,
                        "cached_tokens_details": {"text_tokens": 1344, "audio_tokens": 64, "image_tokens": 0},
                    },
                    "output_token_details": {"text_tokens": 97, "audio_tokens": 299},
                },
            }
        },
        {
            **COMPLETION,
            "id": "resp_rt",
            "model": "gpt-realtime",
            "input_tokens": 1459,
            "input_cached_tokens": 1408,
            "input_audio_tokens": 46,
            "output_tokens": 396,
            "output_audio_tokens": 299,
        },
        said={"model": "gpt-realtime"},
        changes=("cached_media_taken_off",),
        second="realtime",
        differs={"input_audio_tokens": (46, 110)},
        because="the package gives all audio and the cached audio beside it; ours is the difference",
    ),
]

MEDIA = [
    Sample(
        "embeddings",
        "openai",
        "embeddings",
        {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}]}
        | {"model": "text-embedding-3-small", "usage": {"prompt_tokens": 8, "total_tokens": 8}},
        {"usage_type": "embeddings", "id": "req-e", "model": "text-embedding-3-small", "input_tokens": 8},
        said={"id": "req-e"},
        second="embeddings",
    ),
    Sample(
        "embeddings of a provider that has the total alone",
        "voyageai",
        "embeddings",
        {"object": "list", "data": [], "model": "voyage-3", "usage": {"total_tokens": 10}},
        {"usage_type": "embeddings", "id": "req-v", "model": "voyage-3", "input_tokens": 10},
        said={"id": "req-v"},
    ),
    Sample(
        "pictures that are charged by their tokens",
        "openai",
        "images",
        {"created": 1_795_000_000, "data": [{"b64_json": "aGVsbG8="}, {"b64_json": "aGVsbG8="}]}
        | {
            "usage": {
                "total_tokens": 2162,
                "input_tokens": 50,
                "output_tokens": 2112,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
                "output_tokens_details": {"text_tokens": 0, "image_tokens": 2112},
            }
        },
        {
            "usage_type": "images",
            "id": "req-i",
            "model": "gpt-image-1.5",
            "images": 2,
            "input_tokens": 50,
            "input_image_tokens": 40,
            "output_tokens": 2112,
            "output_image_tokens": 2112,
        },
        said={"id": "req-i", "model": "gpt-image-1.5"},
        second="images",
    ),
    Sample(
        "pictures whose output nobody divides",
        "openai",
        "images",
        {"data": [{"b64_json": "aGVsbG8="}]}
        | {
            "usage": {
                "total_tokens": 1106,
                "input_tokens": 50,
                "output_tokens": 1056,
                "input_tokens_details": {"text_tokens": 50, "image_tokens": 0},
            }
        },
        {"usage_type": "images", "id": "req-i2", "model": "gpt-image-1", "images": 1}
        | {"input_tokens": 50, "output_tokens": 1056, "output_image_tokens": 1056},
        said={"id": "req-i2", "model": "gpt-image-1"},
        second="images",
        differs={"output_image_tokens": (1056, 0)},
        because="the package leaves output that is not divided to the price of the model; all output of an image API is pictures",
    ),
    Sample(
        "pictures that are charged by their number",
        "openai",
        "images",
        {"created": 1_795_000_000, "data": [{"url": "https://example.com/1.png", "revised_prompt": "A cat"}]},
        {"usage_type": "images", "id": "req-d", "model": "dall-e-3", "images": 1},
        said={"id": "req-d", "model": "dall-e-3"},
    ),
    Sample(
        "a transcription that is charged by its length",
        "openai",
        "transcriptions",
        {"text": "Hello, it is", "usage": {"type": "duration", "seconds": 12.5}},
        {"usage_type": "audio_transcriptions", "id": "req-w", "model": "whisper-1", "seconds": 13},
        said={"id": "req-w", "model": "whisper-1"},
    ),
    Sample(
        "a transcription that says its length in its older way",
        "groq",
        "transcriptions",
        {"task": "transcribe", "language": "english", "duration": "8.47", "text": "Hello, it is"},
        {"usage_type": "audio_transcriptions", "id": "req-w2", "model": "whisper-large-v3", "seconds": 8},
        said={"id": "req-w2", "model": "whisper-large-v3"},
    ),
    Sample(
        "a transcription that is charged by its tokens",
        "openai",
        "transcriptions",
        {"text": "Hello, it is"}
        | {
            "usage": {
                "type": "tokens",
                "input_tokens": 14,
                "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
                "output_tokens": 45,
                "total_tokens": 59,
            }
        },
        {"usage_type": "audio_transcriptions", "id": "req-t", "model": "gpt-4o-transcribe"}
        | {"input_tokens": 14, "input_audio_tokens": 10, "output_tokens": 45},
        said={"id": "req-t", "model": "gpt-4o-transcribe"},
    ),
    Sample(
        "speech, whose answer is sound alone",
        "openai",
        "speech",
        {},
        {"usage_type": "audio_speeches", "id": "req-s", "model": "tts-1", "characters": 431},
        said={"id": "req-s", "model": "tts-1", "characters": 431},
    ),
    Sample(
        "the last event of a stream of speech",
        "openai",
        "speech",
        {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}},
        {"usage_type": "audio_speeches", "id": "req-s2", "model": "gpt-4o-mini-tts"}
        | {"input_tokens": 14, "output_tokens": 101, "output_audio_tokens": 101},
        said={"id": "req-s2", "model": "gpt-4o-mini-tts"},
    ),
    Sample(
        "a moderation",
        "openai",
        "moderations",
        {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]},
        {"usage_type": "moderations", "id": "modr-1", "model": "omni-moderation-latest"},
    ),
]
