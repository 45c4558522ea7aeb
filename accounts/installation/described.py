"""What an address for programs says of itself. The description of the API (`/api/schema`) and its page are made from it.

Shapes are types that msgspec can describe (TypedDicts, Structs), so that the type checker holds the code to them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, TypedDict

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

Errors = dict[int, dict[str, str]]
"""Status → the codes that come with it, each with when it does."""

SENDING: Final = "Sending usage"
CHECKING: Final = "Checking keys"
READING: Final = "Usage and costs"
DIRECTORY: Final = "Projects, people and keys"
FINANCE: Final = "Files for finance"
OPERATOR: Final = "The operator's systems"
PROVISIONING: Final = "Provisioning"
AUDIENCES: Final = {
    SENDING: "For gateways, APIs and whatever else serves requests: what was used, with an ingest token or an API key.",
    CHECKING: "For gateways: whether to let a request through, with an ingest token.",
    READING: "For dashboards, exporters and scripts: usage and costs, with an admin key of an organization.",
    DIRECTORY: "For dashboards, exporters and scripts: the names behind the ids, with an admin key of an organization.",
    FINANCE: "For finance: FOCUS files that sum to the invoice, with an admin key of an organization.",
    OPERATOR: "For the systems of whoever runs this installation, with its operator token.",
    PROVISIONING: "For the operator's programs: customers, people and keys under the operator's own ids, with an operator token.",
}
"""Who an address is for → what they do with it, in the order of the page."""


# What stands in examples for something of the reader's own: the page puts that in its place.
ORGANIZATION: Final = "org_…"
PROJECT: Final = "proj_…"
PERSON: Final = "user_…"
KEY: Final = "key_…"
ADMIN_KEY: Final = "adminkey_…"
INVOICE: Final = "INV-2026-0001"
MONTH: Final = "2026-11"
MONTH_BEGAN_AT: Final = "2026-11-01T00:00:00Z"
MONTH_BEGAN: Final = 1793491200  # in Unix seconds
NOW: Final = "2026-11-22T12:03:05Z"
NOW_SECONDS: Final = 1795348985
NOW_NANOSECONDS: Final = "1795348985000000000"


def example_of(value: Any) -> list[OpenApiExample]:
    """For `OpenApiParameter(examples=…)`: what the examples of the page say."""
    return [OpenApiExample("example", value=value)]


def in_path(name: str, text: str, example: str) -> OpenApiParameter:
    """An id or a number in the address."""
    return OpenApiParameter(name, str, OpenApiParameter.PATH, description=text, examples=example_of(example))


class Problem(TypedDict):
    """`code` is stable and for programs, `message` a sentence for people."""

    code: str
    message: str


class PlainError(TypedDict):
    """A refusal of the request as a whole."""

    error: Problem


class Described:
    """A view that says what it takes and answers.

    `title` names it in the imperative; its docstring is the text below. `question` is the type of its body, with an
    `example`, and `answer` that of what it answers with status 200: serializers, types that msgspec can describe, or a schema.
    """

    title: ClassVar[str]
    audience: ClassVar[str]
    question: ClassVar[Any] = None
    example: ClassVar[Any] = None
    answer: ClassVar[Any]
    takes: ClassVar[str] = "application/json"
    """The type of its body."""
    makes: ClassVar[bool] = False
    """Whether the same answer also comes with status 201, for something new."""
    media_types: Sequence[str] = ("application/json",)
    error_answer: ClassVar[Any] = PlainError

    def described_for(self, method: str) -> "Described":  # noqa: ARG002 - for views that say something else of each method
        """What it says of one of its methods."""
        return self

    def parameters(self) -> Sequence[OpenApiParameter]:
        """Those in the query string, and those in the address that have more to say than their name."""
        return ()

    def errors(self) -> Errors:
        """All that it can refuse, but for what every address does."""
        return {}
