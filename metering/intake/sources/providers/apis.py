"""Providers and their APIs → what reads their answers. A provider that is not named here is read as OpenAI's shape says."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import msgspec

from metering.intake.sources.providers import (
    anthropic,
    bedrock,
    chat,
    gemini,
    openai_media,
    openai_responses,
    realtime,
)
from metering.intake.sources.providers.reading import NoUsageError, Reading

Read = Callable[[bytes | msgspec.Raw], Reading]
NOTHING: Final = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class API:
    """`around` is what makes an answer out of its usage alone. Some answers need not be there: they say nothing of usage."""

    name: str
    read: Read
    around: tuple[bytes, bytes] = (b'{"usage":', b"}")
    may_be_silent: bool = False


CHAT: Final = API("chat", chat.read)
RESPONSES: Final = API("responses", openai_responses.read)
EMBEDDINGS: Final = API("embeddings", openai_media.read_embeddings)
MODERATIONS: Final = API("moderations", openai_media.read_moderations, may_be_silent=True)
IMAGES: Final = API("images", openai_media.read_images, may_be_silent=True)
MESSAGES: Final = API("messages", anthropic.read)
GENERATE_CONTENT: Final = API("generate_content", gemini.read, (b'{"usageMetadata":', b"}"))
CONVERSE: Final = API("converse", bedrock.read)
OF_EVERYONE: Final = {
    api.name: api
    for api in (
        CHAT,
        RESPONSES,
        EMBEDDINGS,
        MODERATIONS,
        IMAGES,
        API("transcriptions", openai_media.read_transcriptions, may_be_silent=True),
        API("speech", openai_media.read_speech, may_be_silent=True),
        API("realtime", realtime.read),
        MESSAGES,
        GENERATE_CONTENT,
        CONVERSE,
        API("invoke_headers", bedrock.read_headers, (b'{"headers":', b"}")),
    )
}
OF_ONE: Final = {
    ("x-ai", "chat"): replace(CHAT, read=chat.read_xai),
    ("perplexity", "chat"): replace(CHAT, read=chat.read_perplexity),
}
USUAL: Final = {"anthropic": MESSAGES, "google": GENERATE_CONTENT, "aws": CONVERSE}
OTHER_NAMES: Final = {
    "audio_speech": "speech",
    "audio_speeches": "speech",
    "tts": "speech",
    "audio_transcription": "transcriptions",
    "audio_transcriptions": "transcriptions",
    "audio_translations": "transcriptions",
    "transcription": "transcriptions",
    "translations": "transcriptions",
    "bedrock_converse": "converse",
    "chat_completion": "chat",
    "chat_completions": "chat",
    "completion": "chat",
    "completions": "chat",
    "embedding": "embeddings",
    "generatecontent": "generate_content",
    "image": "images",
    "image_generation": "images",
    "images_edits": "images",
    "images_generations": "images",
    "message": "messages",
    "moderation": "moderations",
    "response": "responses",
}
BATCH: Final = "batch"
NAMES: Final = (*OF_EVERYONE, BATCH)
# `object` or `type` of the answers that a batch's file has
_OBJECTS: Final = {
    "chat.completion": CHAT.name,
    "response": RESPONSES.name,
    "list": EMBEDDINGS.name,
    "message": MESSAGES.name,
}


class Kind(msgspec.Struct, gc=False):
    """What tells an answer's API: its own word for it, else what is in it."""

    object: str | None = None
    type: str | None = None
    results: msgspec.Raw = NOTHING
    data: msgspec.Raw = NOTHING


class Result(msgspec.Struct, gc=False):
    message: msgspec.Raw = NOTHING


class OpenAIResult(msgspec.Struct, gc=False):
    body: msgspec.Raw = NOTHING


class Line(msgspec.Struct, gc=False):
    """Of the file of a batch: OpenAI's and Mistral's have `response.body`, Anthropic's `result.message`."""

    id: str | None = None
    custom_id: str | None = None
    response: msgspec.Raw = NOTHING
    result: Result | None = None


_SEPARATORS: Final = str.maketrans(".-/ ", "____")
_line = msgspec.json.Decoder(Line)
_openai_result = msgspec.json.Decoder(OpenAIResult)
_kind = msgspec.json.Decoder(Kind)


@lru_cache(maxsize=256)
def api_of(provider: str, name: str) -> API | None:
    """The API of that name; without one the provider's usual. None if there is none."""
    name = _name_of(name)
    if not name:
        usual = USUAL.get(provider, CHAT)
        return OF_ONE.get((provider, usual.name), usual)
    if name == BATCH:
        return API(BATCH, lambda answer: _read_line(provider, answer))
    return OF_ONE.get((provider, name)) or OF_EVERYONE.get(name)


def _name_of(name: str) -> str:
    folded = name.strip().lower().removeprefix("/v1/").translate(_SEPARATORS)
    return OTHER_NAMES.get(folded, folded)


def _read_line(provider: str, answer: bytes | msgspec.Raw) -> Reading:
    """A line of a batch's output file. Its id is the line's; where lines have none, the answer's, or `custom_id`."""
    line = _line.decode(answer)
    body = _body(line)
    if not body:
        raise NoUsageError
    api = api_of(provider, _api_name(_kind.decode(body)))
    if api is None:
        raise NoUsageError
    found = api.read(body)
    return msgspec.structs.replace(found, batch=True, id=line.id or found.id or line.custom_id)


def _api_name(kind: Kind) -> str:
    """Empty for the provider's usual one. Moderations and images have no word for what they are."""
    if word := kind.object or kind.type:
        return _OBJECTS.get(word, "")
    if kind.results is not NOTHING:
        return MODERATIONS.name
    return IMAGES.name if kind.data is not NOTHING else ""


def _body(line: Line) -> bytes:
    """The answer inside; empty where the request failed."""
    if line.result is not None:
        return bytes(line.result.message)
    answer = bytes(line.response)
    if not answer or answer == b"null":
        return b""
    return bytes(_openai_result.decode(answer).body) or answer
