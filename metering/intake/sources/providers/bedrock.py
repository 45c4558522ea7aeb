"""Amazon Bedrock: Converse, and the headers of InvokeModel. Claude's own answer by InvokeModel is of Anthropic's shape."""

from typing import Final

import msgspec

from metering.intake.formats.events import Count
from metering.intake.sources.normaliser import CACHE_BESIDE, Reported, reported
from metering.intake.sources.providers.reading import MaybeCount, NoUsageError, Reading

LONG: Final = "1h"
HEADERS: Final = {
    "x-amzn-bedrock-input-token-count": "input_tokens",
    "x-amzn-bedrock-output-token-count": "output_tokens",
    "x-amzn-bedrock-cache-read-input-token-count": "cache_read_tokens",
    "x-amzn-bedrock-cache-write-input-token-count": "cache_write_tokens",
}
REQUEST_ID: Final = "x-amzn-requestid"


class Written(msgspec.Struct, gc=False, rename="camel"):
    ttl: str = ""
    input_tokens: MaybeCount = None


class Usage(msgspec.Struct, gc=False, rename="camel"):
    input_tokens: Count
    output_tokens: Count
    total_tokens: MaybeCount = None
    cache_read_input_tokens: MaybeCount = None
    cache_write_input_tokens: MaybeCount = None
    cache_details: list[Written] | None = None


class Tier(msgspec.Struct, gc=False):
    type: str | None = None


class Metadata(msgspec.Struct, gc=False):
    """As boto3 gives it."""

    request_id: str | None = msgspec.field(default=None, name="RequestId")
    headers: dict[str, str] | None = msgspec.field(default=None, name="HTTPHeaders")


class Answer(msgspec.Struct, gc=False):
    usage: Usage
    service_tier: Tier | None = msgspec.field(default=None, name="serviceTier")
    metadata: Metadata | None = msgspec.field(default=None, name="ResponseMetadata")


class Headers(msgspec.Struct, gc=False):
    headers: dict[str, str | int] | None = None
    metadata: Metadata | None = msgspec.field(default=None, name="ResponseMetadata")


_answer = msgspec.json.Decoder(Answer)
_headers = msgspec.json.Decoder(Headers)


def read(answer: bytes | msgspec.Raw) -> Reading:
    """`inputTokens` are those that have nothing to do with the cache. The answer does not name the model."""
    found = _answer.decode(answer)
    usage = found.usage
    long = sum(written.input_tokens or 0 for written in usage.cache_details or () if written.ttl == LONG)
    tokens = Reported(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_write_input_tokens or 0,
        cache_write_long_tokens=long,
        total_tokens=usage.total_tokens,
    )
    return Reading(
        tokens=tokens,
        counting=CACHE_BESIDE,
        id=found.metadata.request_id if found.metadata else None,
        service_tier=found.service_tier.type if found.service_tier else None,
    )


def read_headers(answer: bytes | msgspec.Raw) -> Reading:
    """The headers of an answer of InvokeModel, in `headers` or where boto3 has them. They count as Converse does."""
    found = _headers.decode(answer)
    given = found.headers or (found.metadata and found.metadata.headers) or {}
    headers = {name.lower(): value for name, value in given.items()}
    counts = {ours: headers[theirs] for theirs, ours in HEADERS.items() if theirs in headers}
    if "input_tokens" not in counts:
        raise NoUsageError
    request_id = headers.get(REQUEST_ID)
    return Reading(
        tokens=reported(counts, texts=True), counting=CACHE_BESIDE, id=None if request_id is None else str(request_id)
    )
