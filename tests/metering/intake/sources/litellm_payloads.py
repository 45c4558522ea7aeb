"""Payloads as LiteLLM's generic API callback posts them: StandardLoggingPayload of litellm/types/utils.py, whole; and posting."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from django.http import HttpResponse
from django.test import Client

from metering.ingestion_models import IngestCount
from metering.intake.received.tally import tally
from tests.engine import days_ago

ADDRESS: Final = "/v1/integrations/litellm"
SECRET_WORDS: Final = "the-prompt-nobody-may-keep"
USAGE: Final = {
    "completion_tokens": 20,
    "prompt_tokens": 100,
    "total_tokens": 120,
    "completion_tokens_details": {
        "accepted_prediction_tokens": 0,
        "audio_tokens": 0,
        "reasoning_tokens": 0,
        "rejected_prediction_tokens": 0,
        "text_tokens": None,
    },
    "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 40, "text_tokens": None, "image_tokens": None},
}


def hash_of(secret: str) -> str:
    """As LiteLLM hashes virtual keys."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_payload(secret: str | None = None, **fields: Any) -> dict[str, Any]:
    """A good call of yesterday with this key, with these fields changed; those of `metadata` are put into it."""
    at: datetime = days_ago(1)
    metadata = {**_metadata(), "user_api_key_hash": hash_of(secret) if secret else None, **fields.pop("metadata", {})}
    return {
        "id": "chatcmpl-1",
        "trace_id": "1f4b1d2a-2f52-4d5f-9b0e-6cf8d9a5f2ab",
        "call_type": "acompletion",
        "cache_hit": None,
        "stream": False,
        "status": "success",
        "status_fields": {"llm_api_status": "success", "guardrail_status": "not_run"},
        "custom_llm_provider": "openai",
        "saved_cache_cost": 0.0,
        "startTime": at.timestamp() - 2.5,
        "endTime": at.timestamp(),
        "completionStartTime": at.timestamp() - 1,
        "response_time": 2.5,
        "model": "gpt-4o",
        "metadata": metadata,
        "cache_key": "bde3b1a7f8",
        "response_cost": 0.00045,
        "cost_breakdown": {"input_cost": 0.00025, "output_cost": 0.0002, "total_cost": 0.00045, "tool_usage_cost": 0.0},
        "total_tokens": 120,
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "request_tags": ["User-Agent: OpenAI", "User-Agent: OpenAI/Python 2.8.0"],
        "end_user": "",
        "api_base": "https://api.openai.com",
        "model_group": "gpt-4o",
        "model_id": "cb41bc03f4c33d310019bae8c5afdb1af0a8f97b36a234405a9807614988457c",
        "requester_ip_address": "10.0.0.7",
        "messages": [{"role": "user", "content": SECRET_WORDS}],
        "response": {
            "id": "chatcmpl-1",
            "created": int(at.timestamp()),
            "model": "gpt-4o-2024-08-06",
            "object": "chat.completion",
            "system_fingerprint": "fp_1",
            "choices": [
                {"finish_reason": "stop", "index": 0, "message": {"content": SECRET_WORDS, "role": "assistant"}}
            ],
            "usage": USAGE,
            "service_tier": "default",
        },
        "model_parameters": {"temperature": 0.2, "stream": False},
        **_rest(),
        **fields,
    }


def _metadata() -> dict[str, Any]:
    return {
        "user_api_key_alias": None,
        "user_api_key_spend": 12.5,
        "user_api_key_org_id": None,
        "user_api_key_team_id": None,
        "user_api_key_team_alias": None,
        "user_api_key_user_id": None,
        "user_api_key_user_email": None,
        "user_api_key_end_user_id": None,
        "user_api_key_request_route": "/v1/chat/completions",
        "user_api_key_auth_metadata": {},
        "spend_logs_metadata": None,
        "requester_ip_address": "10.0.0.7",
        "requester_metadata": {},
        "requester_custom_headers": {},
        "prompt_management_metadata": None,
        "mcp_tool_call_metadata": None,
        "vector_store_request_metadata": None,
        "applied_guardrails": [],
        "usage_object": USAGE,
        "cold_storage_object_key": None,
    }


def _rest() -> dict[str, Any]:
    """What is not read."""
    return {
        "hidden_params": {
            "model_id": "cb41bc03f4c33d310019bae8c5afdb1af0a8f97b36a234405a9807614988457c",
            "cache_key": None,
            "api_base": "https://api.openai.com",
            "response_cost": 0.00045,
            "additional_headers": {"x_ratelimit_remaining_requests": 9999},
            "litellm_overhead_time_ms": 1.9,
            "batch_models": None,
            "litellm_model_name": "openai/gpt-4o",
            "usage_object": None,
        },
        "model_map_information": {"model_map_key": "gpt-4o", "model_map_value": {"mode": "chat", "max_tokens": 16384}},
        "error_str": None,
        "error_information": {"error_code": "", "error_class": "", "llm_provider": "", "traceback": ""},
        "response_cost_failure_debug_info": None,
        "guardrail_information": None,
        "standard_built_in_tools_params": {"web_search_options": None, "file_search": None},
    }


def ask(body: Any, secret: str | None, *, content_type: str = "application/json", **headers: str) -> HttpResponse:
    if secret is not None:
        headers = {"Authorization": f"Bearer {secret}", **headers}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Client().post(ADDRESS, data, content_type=content_type, headers=headers)
    assert isinstance(response, HttpResponse)
    return response


def statuses(payloads: Any, secret: str, **options: str) -> list[str]:
    """What became of each payload; the counts must agree."""
    response = ask(payloads, secret, **options)
    assert response.status_code == 200, response.content
    found = json.loads(response.content)
    results = found["results"]
    assert [result["index"] for result in results] == list(range(len(results)))
    kinds = [result["status"] for result in results]
    counts = [found["accepted"], found["duplicates"], found["rejected"], found.get("ignored", 0)]
    assert counts == [kinds.count(kind) for kind in ("accepted", "duplicate", "rejected", "ignored")]
    return [result.get("code", result["status"]) for result in results]


def counted(kind: str) -> dict[str, int]:
    """How many items of this kind were counted, by code."""
    tally.write()
    rows = IngestCount.objects.filter(grain="minute", source="litellm", kind=kind)
    return {row.code: row.number for row in rows}
