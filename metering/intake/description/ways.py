"""Each way in as it is described: what its bodies are read as, and all that it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NotRequired, TypedDict

from accounts.installation.described import Errors, PlainError
from metering.intake.api import JSON_TYPE, NDJSON_TYPES, Way
from metering.intake.description import examples
from metering.intake.description.refusals import BODY, MEDIA_TYPE, PROTOBUF, REQUEST
from metering.intake.description.shown import shown
from metering.intake.formats.answers import Results
from metering.intake.formats.events import Correction, Event
from metering.intake.sources import ways
from metering.intake.sources.cloudevents import Envelope
from metering.intake.sources.litellm.payload import Payload
from metering.intake.sources.openmeter import PROBLEM_TYPE
from metering.intake.sources.otlp import json_spans
from metering.intake.sources.otlp.answers import PROTOBUF_TYPE
from metering.intake.sources.responses import Item

Shapes = Mapping[str, tuple[Any, ...]]
"""Media type → what a body of it is one of. Nothing: bytes that are described elsewhere."""


class OpenMeterProblem(TypedDict):
    """RFC 9457. `events`: what was refused, the first hundred; the others are stored."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    events: NotRequired[list[dict[str, Any]]]


class PartialSuccess(TypedDict):
    rejectedSpans: str
    errorMessage: str


class Exported(TypedDict):
    """`ExportTraceServiceResponse`: `partialSuccess` says how many spans were rejected, and why."""

    partialSuccess: NotRequired[PartialSuccess]


class RPCStatus(TypedDict):
    """`google.rpc.Status`: the code for programs stands before the sentence."""

    message: str


@dataclass(frozen=True, kw_only=True)
class WayIn:
    """`example`: a body of the first media type. `answers`: what comes with a status of success;
    `refused`: the body of an error, by its media type."""

    title: str
    text: str
    bodies: Shapes
    example: Any
    answers: Mapping[int, Shapes] = field(default_factory=lambda: {200: {JSON_TYPE: (Results,)}})
    errors: Errors = field(default_factory=lambda: REQUEST)
    refused: Shapes = field(default_factory=lambda: {JSON_TYPE: (PlainError,)})
    has_code: bool = True


ATTRIBUTES: Final = dict[str, str | None] | None
EVENT: Final = shown(Event, attributes=ATTRIBUTES)
CORRECTION: Final = shown(Correction, attributes=ATTRIBUTES)
ITEM: Final = shown(Item, attributes=ATTRIBUTES, response=Any, usage=Any)
PAYLOAD: Final = shown(Payload, prefix="LiteLLM")
CLOUD_EVENT: Final = shown(Envelope, prefix="CloudEvents")
SPANS: Final = shown(json_spans.Request, prefix="OTLP")
CLOUD_EVENTS: Final = {
    "application/cloudevents+json": (CLOUD_EVENT,),
    "application/cloudevents-batch+json": (list[CLOUD_EVENT],),  # type: ignore[valid-type] # it is one
}


def _items(*shapes: Any) -> Shapes:
    """One item, an array of them, or one in each line."""
    arrays = tuple(list[shape] for shape in shapes)  # type: ignore[valid-type] # known at run time alone
    return {JSON_TYPE: (*shapes, *arrays), NDJSON_TYPES[0]: ()}


DESCRIBED: Final[Mapping[Way, WayIn]] = {
    ways.EVENTS: WayIn(
        title="Send usage events",
        text="What your API or gateway has served, each event once however often it is sent: identity is `id`, `timestamp` and "
        "the organization. 200 means that all that is called accepted is committed. One bad event never rejects its neighbours.",
        bodies={**_items(EVENT, CORRECTION), **CLOUD_EVENTS},
        example=examples.EVENT,
    ),
    ways.RESPONSES: WayIn(
        title="Send providers' answers",
        text="Answers of providers as they are: their counters become events, prompts and outputs are passed over.",
        bodies=_items(ITEM),
        example=examples.RESPONSE,
    ),
    ways.LITELLM: WayIn(
        title="Take LiteLLM's log",
        text="What LiteLLM's proxy logs of each call (`callback_type: generic_api`). It does not send again: every body that can "
        "be read is answered with 200.",
        bodies=_items(PAYLOAD),
        example=examples.LITELLM,
    ),
    ways.OTLP: WayIn(
        title="Take spans of OpenTelemetry",
        text="OTLP over HTTP, protobuf or JSON: spans with the attributes of generative AI become events, others are ignored. "
        "The answer has the encoding of the request.",
        bodies={JSON_TYPE: (SPANS,), PROTOBUF_TYPE: ()},
        example=examples.SPANS,
        answers={200: {JSON_TYPE: (Exported,), PROTOBUF_TYPE: ()}},
        errors={
            **{status: codes for status, codes in REQUEST.items() if status != 500},
            400: BODY | PROTOBUF,
            415: REQUEST[415] | MEDIA_TYPE,
            503: REQUEST[503] | REQUEST[500],
        },
        refused={JSON_TYPE: (RPCStatus,), PROTOBUF_TYPE: ()},
        has_code=False,
    ),
    ways.OPENMETER: WayIn(
        title="Take events as OpenMeter's clients send them",
        text="CloudEvents. 204 when nothing was refused, else 400 with what was: the others are stored.",
        bodies={**CLOUD_EVENTS, JSON_TYPE: (CLOUD_EVENT, list[CLOUD_EVENT])},  # type: ignore[valid-type] # it is one
        example=examples.CLOUD_EVENT,
        answers={204: {}},
        refused={PROBLEM_TYPE: (OpenMeterProblem,)},
        has_code=False,
    ),
}
