"""An organization's people and groups as SCIM resources, for scim2-server, which reads requests and makes answers.

Each change is a transaction of its own, in which what it was made for is compared again (`meta.version`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import accumulate
from typing import Any, Final, TypeVar

from django.db.models import Count, Model, Q, QuerySet
from scim2_models import (
    Group,
    InvalidFilterException,
    InvalidValueException,
    Meta,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    SCIMException,
    ScimFilter,
    SearchRequest,
    SensitiveException,
    UniquenessException,
)
from scim2_models.path import CompareOperator, Comparison
from scim2_server.storage import ScimStorage, SearchPage

from accounts.changes import change
from accounts.models import User as Account
from accounts.organizations.organizations import locked
from usage_dashboard.models import ScimGroup
from usage_dashboard.scim import groups, people
from usage_dashboard.scim.groups import GroupSaid
from usage_dashboard.scim.people import Person, Said
from usage_dashboard.scim.providers import Provider, ScimRefusedError, Why
from usage_dashboard.scim.resources import User

Row = TypeVar("Row", bound=Model)
KEPT: Final = ("name", "displayName", "nickName", "title", "locale", "preferredLanguage", "timezone", "emails")
"""What is kept of a person for the provider to read back; of nothing else do we know more than we need."""
LONGEST: Final = 10_000
MOST_MATCHED: Final = 1_000
MOST_LINKS: Final = 10_000
"""Of people in groups, in one answer about many; one group or person is answered with all of theirs."""
BEYOND: Final = 2**31
"""Where nothing is any more; the database counts no further than 2^63."""
PEOPLE: Final = {
    "username": "email",
    "emails.value": "email",
    "emails": "email",
    "id": "public_id",
    "displayname": "name",
}
GROUPS: Final = {"displayname": "name", "externalid": "external_id", "id": "public_id"}

REFUSALS: Final[Mapping[Why, type[SCIMException]]] = {
    Why.TAKEN: UniquenessException,
    Why.INVALID: InvalidValueException,
    Why.IN_THE_WAY: SensitiveException,
    Why.GONE: NotFoundException,
}


class OrganizationStorage(ScimStorage):
    """The people and groups of one organization; nothing of any other is reached from here."""

    def __init__(self, by: Provider) -> None:
        self._by = by
        self._organization = by.organization

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        if _is_group(resource_type):
            return self._groups([self._group(resource_id)], with_members=_shows_members(response_parameters))[0]
        return self._people([self._account(resource_id)])[0]

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,  # noqa: ARG002 - the library's signature
    ) -> SearchPage:
        """Filters that providers send are asked of the database; others are tried on each of at most so many."""
        found: list[SearchPage] = [self._page(one, search_request) for one in resource_types]
        return SearchPage(sum(page.total or 0 for page in found), [one for page in found for one in page.resources])

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        with _refusals():
            if isinstance(resource, Group):
                with change() as now:
                    locked(self._organization)
                    made = groups.add(self._by, self._said_of_group(resource), now=now)
                return self.get(resource_type, made.public_id)
            assert isinstance(resource, User)
            account = people.add(self._by, _said(resource))
            return self.get(resource_type, account.public_id)

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        resource_id = str(resource.id)
        with _refusals():
            if isinstance(resource, Group):
                group, said = self._group(resource_id), self._said_of_group(resource)
                require = _same(expected_version, lambda: self._groups([group], with_members=False)[0])
                with change() as now:
                    groups.change(self._by, group, said, now=now, require=lambda _: require())
                return self.get(resource_type, resource_id)
            assert isinstance(resource, User)
            account = self._account(resource_id)
            require = _same(expected_version, lambda: self._people([account])[0])
            people.change(self._by, account, _said(resource), require=lambda _: require())
            return self.get(resource_type, resource_id)

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:  # noqa: ARG002 - ends in any version
        with _refusals():
            if _is_group(resource_type):
                group = self._group(resource_id)
                with change():
                    groups.remove(group, actor=self._by.actor)
            else:
                people.remove(self._by, self._account(resource_id))

    def _account(self, resource_id: str) -> Account:
        return _one(people.seen_by(self._organization), resource_id)

    def _group(self, resource_id: str) -> ScimGroup:
        return _one(groups.groups_of(self._organization).select_related("organization"), resource_id)

    def _page(self, resource_type: ResourceType, asked: SearchRequest[Any]) -> SearchPage:
        is_group = _is_group(resource_type)
        rows: QuerySet[Any] = groups.groups_of(self._organization) if is_group else people.seen_by(self._organization)
        show: Callable[[list[Any]], list[Resource[Any]]] = self._groups if is_group else self._people
        rows, start = rows.order_by("pk"), min(asked.start_index_0 or 0, BEYOND)
        stop = None if asked.count is None else start + asked.count
        if asked.filter is None or (condition := self._condition(asked.filter, is_group=is_group)) is not None:
            rows = rows if asked.filter is None else rows.filter(condition)
            found = list(rows[start:stop])
            if is_group and not _shows_members(asked):
                return SearchPage(rows.count(), self._groups(found, with_members=False))
            return SearchPage(rows.count(), show(self._fitting(found, "scimgroup" if is_group else "user")))
        if rows.count() > MOST_MATCHED or self._links().count() > MOST_LINKS:
            raise InvalidFilterException(detail="Filter by userName, externalId, displayName or id with eq.")
        matched = [one for one in show(list(rows)) if asked.filter.match(one)]
        return SearchPage(len(matched), matched[start:stop])

    def _links(self) -> QuerySet[Any]:
        """Who is in which group of the organization."""
        return ScimGroup.people.through.objects.filter(scimgroup__organization=self._organization)

    def _fitting(self, rows: list[Row], column: str) -> list[Row]:
        """The first of these that have MOST_LINKS between them, and always one; `column` is theirs in the links."""
        found = self._links().filter(**{f"{column}__in": [row.pk for row in rows]})
        numbers = dict(found.values_list(column).annotate(Count("pk")))
        ends = accumulate(numbers.get(row.pk, 0) for row in rows)
        return rows[: max(1, sum(end <= MOST_LINKS for end in ends))]

    def _condition(self, asked: ScimFilter[Any], *, is_group: bool) -> Q | None:
        """What the database can be asked, for a filter that compares one text that it knows."""
        node = asked.ast
        if isinstance(node, Comparison) and isinstance(node.value, str) and not _can_be_kept(node.value):
            raise InvalidFilterException(detail="A text in a filter has no NUL and no half of a character.")
        if not isinstance(node, Comparison) or node.op != CompareOperator.eq or not isinstance(node.value, str):
            return None
        name = ".".join(filter(None, (node.attr_path.attr, node.attr_path.sub_attr))).lower()
        value = node.value
        if not is_group and name == "externalid":
            return Q(scim_people__organization=self._organization, scim_people__external_id=value)
        column = (GROUPS if is_group else PEOPLE).get(name)
        if column is None or (name == "displayname" and not is_group):
            return None
        if column == "email":
            return people.called(self._organization, value)
        return Q(**{f"{column}__iexact" if column == "name" else column: value})

    def _people(self, accounts: Iterable[Account]) -> list[Resource[Any]]:
        found = people.persons(self._organization, accounts)
        mine = groups.groups_of(self._organization).filter(people__in=[one.user.pk for one in found])
        named: dict[int, list[tuple[str, str]]] = {}
        for pk, key, name in mine.values_list("people", "public_id", "name").order_by("pk"):
            named.setdefault(pk, []).append((key, name))
        return [_user(one, named.get(one.user.pk, [])) for one in found]

    def _groups(self, rows: Iterable[ScimGroup], *, with_members: bool = True) -> list[Resource[Any]]:
        """Groups can have thousands of members, so these are not read for an answer without them."""
        rows = list(rows)
        if not with_members:
            return [_group(row, []) for row in rows]
        links = ScimGroup.people.through.objects.filter(scimgroup__in=[row.pk for row in rows])
        pairs = list(links.values_list("scimgroup", "user").order_by("pk"))
        found = people.persons(self._organization, Account.objects.filter(pk__in={user_id for _, user_id in pairs}))
        named = {one.user.pk: (one.user.public_id, one.user_name) for one in found}
        members: dict[int, list[tuple[str, str]]] = {}
        for pk, user_id in pairs:
            members.setdefault(pk, []).append(named[user_id])
        return [_group(row, members.get(row.pk, [])) for row in rows]

    def _said_of_group(self, resource: Group) -> GroupSaid:
        """Members whom others have put out of the organization are passed over: the provider does not know of that yet."""
        wanted = {_short(str(member.value), 32) for member in resource.members or [] if member.value}
        found = list(people.seen_by(self._organization).filter(public_id__in=wanted))
        unknown = wanted - {one.public_id for one in found}
        if unknown and people.unseen_by(self._organization).filter(public_id__in=unknown).count() != len(unknown):
            raise InvalidValueException(detail="A member of the group is no user of this organization.")
        name = _short(resource.display_name or "", 255)
        return GroupSaid(name, _short(resource.external_id or "", 255), found)


class _refusals:  # noqa: N801 - read as a word: `with _refusals():`
    """What the organization's rules refuse, as SCIM's errors."""

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if not isinstance(error, ScimRefusedError):
            return
        raise REFUSALS[error.why](detail=str(error)) from error


def _is_group(resource_type: ResourceType) -> bool:
    return resource_type.name == "Group"


def _shows_members(asked: ResponseParameters[Any] | None) -> bool:
    """Whether an answer about groups has their members, or a part of them."""
    if asked is None:
        return True
    names = [str(path).lower().rpartition(":")[2] for path in asked.attributes or asked.excluded_attributes or []]
    if asked.attributes:
        return any(name.partition(".")[0] == "members" for name in names)
    return "members" not in names


def _one(rows: "QuerySet[Row]", resource_id: str) -> Row:
    found = rows.filter(public_id=resource_id.replace("\0", "")).first()
    if found is None:
        raise NotFoundException(detail="There is nothing with this id in this organization.")
    return found


def _same(expected: str | None, read: Callable[[], Resource[Any]]) -> Callable[[], None]:
    """Raises PreconditionFailedException if the resource is not what a change was made for."""

    def require() -> None:
        meta = read().meta
        if expected is not None and (meta is None or meta.version != expected):
            raise PreconditionFailedException

    return require


def _said(resource: User) -> Said:
    document: Mapping[str, Any] = resource.model_dump()
    more: dict[str, Any] = {name: document[name] for name in KEPT if name in document}
    if len(written := json.dumps(more, ensure_ascii=False)) > LONGEST:
        raise InvalidValueException(detail="This is more than is kept of a person.")
    if "\\u0000" in written.replace("\\\\", "") or not _can_be_kept(written):
        raise InvalidValueException(detail="A text can have no NUL and no half of a character.")
    name = resource.name
    parts = [name.given_name, name.family_name] if name else []
    shown = resource.display_name or (name.formatted if name else "") or " ".join(part for part in parts if part)
    return Said(
        user_name=_short(resource.user_name or "", 254),
        active=resource.active,
        external_id=_short(resource.external_id or "", 255),
        name=" ".join((shown or "").split())[:120],
        more=more,
    )


def _short(text: str, most: int) -> str:
    if len(text) > most or not _can_be_kept(text):
        raise InvalidValueException(detail=f"A text can have at most {most} characters, and no NUL.")
    return text


def _can_be_kept(text: str) -> bool:
    """Whether the database takes it: it has no NUL, and no half of a character that JSON writes as two (`\\ud800`)."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _user(person: Person, in_groups: list[tuple[str, str]]) -> Resource[Any]:
    user, row = person.user, person.row
    said: Mapping[str, Any] = row.more if row is not None else {"displayName": user.name or user.email}
    document = {
        **said,
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": user.public_id,
        "userName": person.user_name,
        "externalId": (row.external_id if row is not None else "") or None,
        "active": person.is_in,
        "groups": [
            {"value": key, "display": name, "$ref": f"Groups/{key}", "type": "direct"} for key, name in in_groups
        ],
    }
    updated_at = row.updated_at if row is not None else user.created_at
    return _resource(User, document, user.created_at, updated_at, state=document)


def _group(row: ScimGroup, members: list[tuple[str, str]]) -> Resource[Any]:
    """Its version is the same with and without the members: a change of them is a change of `updated_at`."""
    document = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": row.public_id,
        "displayName": row.name,
        "externalId": row.external_id or None,
        "members": [
            {"value": key, "display": name or None, "$ref": f"Users/{key}", "type": "User"} for key, name in members
        ],
    }
    state = [row.public_id, row.name, row.external_id, row.updated_at.isoformat()]
    return _resource(Group, document, row.created_at, row.updated_at, state=state)


def _resource(
    model: type[Resource[Any]], document: dict[str, Any], created_at: datetime, updated_at: datetime, *, state: Any
) -> Resource[Any]:
    resource = model.model_validate({name: value for name, value in document.items() if value not in (None, [])})
    version = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:32]
    resource.meta = Meta(
        resource_type=model.__name__, created=created_at, last_modified=updated_at, version=f'W/"{version}"'
    )
    return resource
