"""The codes of ways in, each with when it comes: of requests that are refused as a whole, and of single events."""

from typing import Final

from accounts.installation.described import Errors

BODY: Final = {
    "empty_body": "the body is empty",
    "invalid_json": "it is not JSON",
    "invalid_utf8": "its text is cut within a character",
    "invalid_gzip": "it is not one whole gzip member",
    "invalid_zstd": "it is not one whole zstd frame",
    "incomplete_body": "it ended too early, or came too slowly",
}
REQUEST: Final[Errors] = {
    400: BODY,
    401: {"unauthenticated": "no secret, or one that is unknown, revoked or expired"},
    403: {"own_usage_not_taken": "an API key reports its own usage, and this installation does not take that"},
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
        "too_busy": "too many large bodies are being read; send the same again",
    },
}
PROTOBUF: Final = {"invalid_protobuf": "it is no `ExportTraceServiceRequest`", "invalid_request": "the same, in JSON"}
MEDIA_TYPE: Final = {
    "unknown_content_type": "`Content-Type` is neither `application/x-protobuf` nor `application/json`"
}
