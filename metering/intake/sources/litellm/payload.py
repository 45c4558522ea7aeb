"""What LiteLLM logs of a call, as far as it is read: StandardLoggingPayload (litellm/types/utils.py, August 2026 and before).

Prompts and answers are in it as well; they are passed over, and become no object at all.
"""

import msgspec

from metering.intake.formats.events import Timestamp
from metering.intake.sources.providers.anthropic import Iteration, Lifetimes, ServerTools
from metering.intake.sources.providers.chat import CompletionDetails
from metering.intake.sources.providers.reading import MaybeCount, Seconds

NOTHING = msgspec.Raw()


class InputDetails(msgspec.Struct, gc=False):
    cached_tokens: MaybeCount = None
    cache_creation_tokens: MaybeCount = None
    cache_write_tokens: MaybeCount = None
    cache_creation_token_details: Lifetimes | None = None
    audio_tokens: MaybeCount = None
    image_tokens: MaybeCount = None
    video_tokens: MaybeCount = None
    web_search_requests: MaybeCount = None
    character_count: MaybeCount = None
    image_count: MaybeCount = None


class Usage(msgspec.Struct, gc=False):
    """In the names of chat completions, which LiteLLM makes of nearly everything, or of Responses, images and Messages."""

    prompt_tokens: MaybeCount = None
    completion_tokens: MaybeCount = None
    input_tokens: MaybeCount = None
    output_tokens: MaybeCount = None
    total_tokens: MaybeCount = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    input_tokens_details: InputDetails | None = None
    input_token_details: InputDetails | None = None
    output_tokens_details: CompletionDetails | None = None
    cache_read_input_tokens: MaybeCount = None
    cache_creation_input_tokens: MaybeCount = None
    cache_creation: Lifetimes | None = None
    server_tool_use: ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[Iteration] | None = None
    seconds: Seconds | None = None
    output_image_count: MaybeCount = None


class Metadata(msgspec.Struct, gc=False):
    user_api_key_hash: str | None = None
    user_api_key_alias: str | None = None
    user_api_key_org_id: str | None = None
    user_api_key_team_id: str | None = None
    user_api_key_team_alias: str | None = None
    user_api_key_user_id: str | None = None
    user_api_key_end_user_id: str | None = None
    requester_metadata: msgspec.Raw = NOTHING
    spend_logs_metadata: msgspec.Raw = NOTHING
    usage_object: Usage | None = None


class Response(msgspec.Struct, gc=False):
    """The answer, if the proxy keeps it in its logs: then nothing that is read of it is needed, but it is more exact."""

    model: msgspec.Raw = NOTHING
    service_tier: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    output: msgspec.Raw = NOTHING
    tool_usage: msgspec.Raw = NOTHING
    tools: msgspec.Raw = NOTHING
    data: msgspec.Raw = NOTHING
    duration: msgspec.Raw = NOTHING


class Parameters(msgspec.Struct, gc=False):
    """What was asked for, of which only what the answer may leave open is read."""

    service_tier: str | None = None


class Passed(msgspec.Struct, gc=False):
    """Nothing of it is read."""


class Payload(msgspec.Struct, gc=False, kw_only=True):
    id: str
    call_type: str
    ended_at: Timestamp = msgspec.field(name="endTime")
    status: str | None = None
    custom_llm_provider: str | None = None
    model: str | None = None
    total_tokens: MaybeCount = None
    prompt_tokens: MaybeCount = None
    completion_tokens: MaybeCount = None
    metadata: Metadata | None = None
    cache_hit: bool | str | None = None
    request_tags: msgspec.Raw = NOTHING
    end_user: str | None = None
    model_parameters: msgspec.Raw = NOTHING
    response: Response | str | list[Passed] | None = None
