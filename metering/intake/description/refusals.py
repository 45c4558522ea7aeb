"""The codes of ways in, each with when it comes: of requests that are refused as a whole, and of single events."""

from typing import Final

from accounts.installation.described import Errors

BODY: Final = {
    "empty_body": "the body is empty",
    "invalid_json": "it is not JSON",
    "invalid_utf8": "its text is cut within a character",
    "invalid_gzip": "it is not one whole gzip member",
    "invalid_zstd": "it is not one whole zstd frame",
    "incomplete_body": "it ended too early",
}
REQUEST: Final[Errors] = {
    400: BODY,
    401: {"unauthenticated": "no secret, or one that is unknown, revoked or expired"},
    403: {
        "own_usage_not_taken": "an API key reports its own usage, and this installation does not take that",
        "https_required": "it came over plain HTTP, where its secret can be read; this is said in JSON at every address",
    },
    408: {"body_timeout": "the body did not arrive in time; send the same again"},
    413: {
        "too_many_events": "more than 10,000 events",
        "body_too_large": "more than 10 MiB, unpacked",
    },
    415: {"unknown_encoding": "`Content-Encoding` is neither gzip, zstd nor identity"},
    429: {
        "too_many_unknown_secrets": "many unknown secrets came from your address; send the same again later",
        "too_much_refused": "most of what an API key sent in this minute was refused; send the rest again later",
    },
    500: {"internal_error": "an error of ours; send the same again later"},
    503: {
        "unavailable": "the database does not take events now; send the same again after `Retry-After` seconds",
        "too_busy": "too many bodies are on their way or being read; send the same again after `Retry-After` seconds",
    },
}
ITEM: Final = {
    "invalid_id": "its `id` is not 1 to 64 visible characters, or what it corrects is longer",
    "invalid_timestamp": "its timestamp has no zone, or is no moment of the calendar",
    "too_old": "it is from before the days that are taken",
    "in_the_future": "it is further ahead than clocks differ",
    "unknown_usage_type": "its usage type is none of the ten",
    "invalid_service_tier": "its service tier is no word of 1 to 40 visible characters",
    "invalid_provider": "its provider is no word of 1 to 40 visible characters",
    "invalid_speed": "its speed is no word of 1 to 40 visible characters",
    "invalid_region": "its region is no word of 1 to 40 visible characters",
    "invalid_model": "it names no model, or one of more than 128 or with unprintable characters",
    "invalid_measure": "a measure is negative, no whole number, or too large to be read",
    "measure_too_large": "a measure is above the limit of an event",
    "foreign_measure": "a measure does not belong to its usage type",
    "parts_exceed_whole": "its parts are more than the whole that they are of",
    "missing_field": "a required field is missing",
    "unknown_field": "it has a field that no event has",
    "invalid_field": "a field is of the wrong type",
    "invalid_event": "it is no JSON object",
    "invalid_json": "it is no JSON",
    "invalid_utf8": "its text is not UTF-8",
    "invalid_span": "a span cannot be read",
    "invalid_response": "a provider's answer has another shape than its API's",
    "unknown_api": "its `api` is none that is known",
    "unknown_specversion": "it is a CloudEvent of another version than 1.0",
    "unknown_type": "it is a CloudEvent of tokens of no known kind",
    "no_usage": "it says nothing of what was used",
    "event_too_large": "it has too much text",
    "missing_api_key_id": "it was sent with an ingest token and names no key",
    "unknown_api_key": "it names a key that does not exist",
    "forbidden_api_key": "it was sent with an API key and names another one",
    "key_ended": "it is from after the key was revoked or had expired",
    "not_a_member": "it names an organization of which the key's user was no member then, or that does not exist",
    "unknown_project": "the organization in which it counts does not have this project",
    "invalid_attribute": "an attribute's value is no text of up to 64 characters, or `attributes` are no map",
    "conflict": "it has the identity of a stored event with other content; the first stays",
    "correction_forbidden": "it is a correction, and was sent with an API key",
    "corrected_event_unknown": "it corrects an event that is not stored",
    "corrects_a_correction": "it corrects a correction",
    "corrects_other_key": "it corrects an event of another API key",
    "corrects_other_sku": "it corrects an event of another model, usage type, tier, provider, speed or region",
    "overcorrected": "it would take away more than is left of its event",
    "too_large_for_key": "it is alone more than an API key may report in a minute",
    "key_limit": "the API key has reported as much as it may in this minute; send it again in a later one",
    "too_many_new_models": "its organization has brought as many new models today as it may; send it again tomorrow",
    "too_many_new_skus": "the same, of new combinations of model, tier, provider, speed, region and the like",
}
"""Of single items, in an answer of 200."""
PROTOBUF: Final = {"invalid_protobuf": "it is no `ExportTraceServiceRequest`", "invalid_request": "the same, in JSON"}
MEDIA_TYPE: Final = {
    "unknown_content_type": "`Content-Type` is neither `application/x-protobuf` nor `application/json`"
}
