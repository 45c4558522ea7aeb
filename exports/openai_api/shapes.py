"""The shapes of answers in OpenAI's admin API, for the type checker and for the description."""

from collections.abc import Mapping
from typing import Any, Final, Generic, Literal, NotRequired, TypedDict, TypeVar

from exports.openai_api.endpoints import COSTS, LINE_ITEM, Endpoint

Item = TypeVar("Item")
GROUP_TYPES: Final[Mapping[str, Any]] = {"batch": bool | None}
"""Of results that are told apart by them; all others are texts."""


class Amount(TypedDict):
    """`value` is a number with all digits of the exact amount, `x_value` the same as text."""

    value: float
    currency: Literal["usd"]
    x_value: str


class List(TypedDict, Generic[Item]):
    """While `has_more`, send `last_id` as `after`."""

    object: Literal["list"]
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Project(TypedDict):
    object: Literal["organization.project"]
    id: str
    name: str
    created_at: int
    archived_at: int | None
    status: Literal["active", "archived"]


class KeyUser(TypedDict):
    id: str
    name: str
    email: str
    role: Literal["member"]
    created_at: int


class KeyOwner(TypedDict):
    type: Literal["user"]
    user: KeyUser


class ProjectKey(TypedDict):
    """An active API key whose usage is for the project. The secret is nowhere, `redacted_value` its ends."""

    object: Literal["organization.project.api_key"]
    id: str
    name: str
    redacted_value: str
    created_at: int
    last_used_at: int | None
    expires_at: int | None
    owner: KeyOwner
    owner_project_access: Literal["active"]


class User(TypedDict):
    """A member, with the role in the key's own organization, or in the first of its children that they are in."""

    object: Literal["organization.user"]
    id: str
    name: str | None
    email: str
    role: Literal["owner", "admin", "reader"]
    added_at: int


class AdminKeyOwner(TypedDict):
    """Who made it, if they still have an account."""

    type: Literal["user"]
    object: Literal["organization.user"]
    role: Literal["owner"]
    id: NotRequired[str]
    name: NotRequired[str]
    created_at: NotRequired[int]


class AdminKey(TypedDict):
    """A valid admin key of the organization itself."""

    object: Literal["organization.admin_api_key"]
    id: str
    name: str
    redacted_value: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    owner: AdminKeyOwner
    x_scopes: list[str]


class Enforcement(TypedDict):
    status: Literal["enforcing"]


class SpendLimit(TypedDict):
    """`threshold_amount` in cents."""

    object: Literal["organization.spend_limit"]
    threshold_amount: int
    currency: Literal["USD"]
    interval: Literal["month"]
    enforcement: Enforcement


class Channel(TypedDict):
    type: Literal["email"]
    recipients: list[str]
    subject_prefix: None


class SpendAlert(TypedDict):
    """`threshold_amount` in cents, and who is told when it is reached."""

    object: Literal["organization.spend_alert"]
    id: str
    threshold_amount: int
    currency: Literal["USD"]
    interval: Literal["month"]
    notification_channel: Channel


def page_shape(endpoint: Endpoint) -> Any:
    """The type of a page of this address: buckets of results."""
    name = endpoint.name.title().replace("_", "")
    results: Any = _result_shape(endpoint, f"{name}Result")
    bucket: Any = _typed(
        f"{name}Bucket", object=Literal["bucket"], start_time=int, end_time=int, results=_many(results)
    )
    return _typed(f"{name}Page", object=Literal["page"], data=_many(bucket), has_more=bool, next_page=str | None)


def _result_shape(endpoint: Endpoint, name: str) -> Any:
    """Its numbers, and every group, which is null unless results are told apart by it."""
    groups = {name: GROUP_TYPES.get(name, str | None) for name in endpoint.groups if name != LINE_ITEM}
    fields = dict.fromkeys(endpoint.fields, int) if endpoint is not COSTS else _COST_FIELDS
    return _typed(name, object=Literal[endpoint.object], **fields, **groups, organization_id=NotRequired[str | None])


def _many(item: Any) -> Any:
    return list[item]


def _typed(name: str, **fields: Any) -> Any:
    return TypedDict(name, fields)  # type: ignore[operator] # the names are known at run time alone


_COST_FIELDS: Final[Mapping[str, Any]] = {
    "amount": Amount,
    LINE_ITEM: str | None,
    "quantity": float | None,
    "quantity_unit": str | None,
    "x_unpriced": bool,
}
