"""What the addresses of the provisioning API say of themselves: each kind as a list, and each method of one thing."""

from collections.abc import Sequence
from typing import Final, TypedDict

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from accounts.installation.described import PROVISIONING, Described, Errors, example_of
from usage_dashboard.provisioning.api import ERRORS
from usage_dashboard.provisioning.fields import EXTERNAL_ID
from usage_dashboard.provisioning.kinds import KINDS
from usage_dashboard.provisioning.listing import DEFAULT, MOST
from usage_dashboard.provisioning.shapes import OperatorError

NOT_THERE: Final[Errors] = {404: {"not_found": "nothing has this id"}}
INVALID: Final[Errors] = {
    400: {
        "invalid_request": "a field is missing, wrong or unknown; `param` names it",
        "unknown_reference": "nothing has an id that a field names",
    }
}
IN_THE_WAY: Final[Errors] = {
    409: {
        "immutable": "this belongs to something else, or cannot become something else",
        "email_taken": "somebody else has the email address",
        "digest_taken": "somebody else has the secret",
        "ended": "it has ended for good; use another id",
        "already_member": "the user is in the organization under another id",
        "last_owner": "an organization keeps an owner",
        "ends_before_start": "a membership cannot end before it began",
        "usage_stored": "usage of the user since that moment is stored already",
        "invalid_effective_at": "the moment is in the future, or before another change",
        "invalid_parent": "who pays has a payer, or the organization pays for others",
        "invalid_price": "the price cannot be stored exactly",
        "invalid_attribution": "the key cannot have this project or these values",
        "invalid_name": "the name cannot be used",
        "limit_reached": "this was changed as often as it may be on that day",
        "project_refused": "the project cannot be like this",
        "billed": "what it changes is billed already",
        "refused": "a rule of organizations forbids it",
        "conflict": "somebody else has changed it at the same moment; send it again",
    }
}


class Entry(Described):
    """What holds for all of them."""

    audience = PROVISIONING
    error_answer = OperatorError

    def __init__(self, name: str) -> None:
        self.of = KINDS[name]
        self.title = self.title.format(one=self.of.word, all=name.replace("_", " "))  # type: ignore[misc] # of this one
        self.answer = self.of.shape  # type: ignore[misc] # of this one

    def errors(self) -> Errors:
        return {**ERRORS, **NOT_THERE}

    def parameters(self) -> Sequence[OpenApiParameter]:
        schema = {"type": "string", "pattern": f"^{EXTERNAL_ID.pattern}$"}
        return [
            OpenApiParameter(
                "external_id",
                schema,
                OpenApiParameter.PATH,
                description="Your own id.",
                examples=self.ids(),
            )
        ]

    def ids(self) -> list[OpenApiExample] | None:
        """An id to copy, where the call by itself can be made."""
        return None


class ListingEntry(Entry):
    """A list."""

    title = "List {all}"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        page = {"data": list[self.of.shape], "next_cursor": str | None, "has_more": bool}  # type: ignore[name-defined] # at run time
        self.answer = TypedDict(f"{self.of.shape.__name__}s", page)  # type: ignore[misc] # of this one, at run time

    def errors(self) -> Errors:
        return {
            **ERRORS,
            400: {"invalid_request": "a parameter is wrong", "invalid_cursor": "a cursor of another list"},
        }

    def parameters(self) -> Sequence[OpenApiParameter]:
        limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT}
        return [
            OpenApiParameter("limit", limit, description="Rows in a page."),
            OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
        ]


class ReadEntry(Entry):
    """GET."""

    title = "Read {one}"


class PutEntry(Entry):
    """PUT."""

    title = "Make or change {one}"
    makes = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.question = self.of.fields  # type: ignore[misc] # of this one
        _, self.example = self.of.example  # type: ignore[misc] # the same

    def ids(self) -> list[OpenApiExample]:
        example, _ = self.of.example
        return example_of(example)

    def errors(self) -> Errors:
        return {**ERRORS, **INVALID, **IN_THE_WAY}


class EndEntry(Entry):
    """DELETE."""

    title = "End {one}"

    def errors(self) -> Errors:
        return {**ERRORS, **NOT_THERE, **INVALID, **IN_THE_WAY}

    def parameters(self) -> Sequence[OpenApiParameter]:
        moment = {"type": "string", "format": "date-time"}
        return [
            *super().parameters(),
            OpenApiParameter("effective_at", moment, description="From when on; without it, from now on."),
        ]


RESOURCE_ENTRIES: Final[dict[str, type[Entry]]] = {"get": ReadEntry, "put": PutEntry, "delete": EndEntry}
