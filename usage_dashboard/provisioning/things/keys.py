"""API keys by the operator's own id: the operator's secrets by their digest, or secrets that are made here."""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Any, Final

from django.db.models import Max, Q, QuerySet

from accounts.audit import audit
from accounts.audit.audit import Actor
from accounts.models import Organization, Project, User
from apikeys import secrets
from apikeys.attribution.attribution import set_attribution
from apikeys.keys.importing import UNKNOWN_ENDING, store
from apikeys.keys.keys import (
    TRACKED_BY_DEFAULT_FROM,
    InvalidNameError,
    clean_name,
    rename_api_key,
    revoke_api_key,
    set_expiry,
    set_tracking,
)
from apikeys.models import AdminKey, APIKey, IngestToken, KeyAttribution, OperatorToken, ScimToken, TrackingChange
from billing.prices.invoiced_months import first_open_days
from usage_dashboard.provisioning.guards import alone_with
from usage_dashboard.provisioning.lines import (
    Decision,
    Line,
    RefusedError,
    Status,
    ended,
    immutable,
    judged,
    moment_of,
    only_now,
    unknown,
)
from usage_dashboard.provisioning.shapes import ProvisionedAPIKey, ProvisionedAttribution
from usage_dashboard.provisioning.things import organizations, users

FOREIGN: Final = (AdminKey, IngestToken, OperatorToken, ScimToken)
Latest = dict[tuple[int, int], KeyAttribution]


@dataclass(frozen=True)
class Known:
    """What there is about the people, secrets and organizations of some lines."""

    users: Mapping[str, User]
    organizations: Mapping[str, Organization]
    projects: Mapping[str, Project]
    by_digest: Mapping[bytes, APIKey]
    foreign: Collection[bytes]
    attributed: Latest
    tracked_at: Mapping[int, datetime]
    open_from: Mapping[int, date]

    @classmethod
    def of(cls, lines: list[Line], rows: list[APIKey]) -> "Known":
        said = [line.fields["attribution"] for line in lines if "attribution" in line.fields]
        places = organizations.by_external_id({one["organization"] for one in said})
        project_ids = {one["project"] for one in said if one.get("project")}
        digests = [bytes.fromhex(line.fields["digest"]) for line in lines if "digest" in line.fields]
        by_digest = _keys_with(digests)
        key_ids = {row.pk for row in (*rows, *by_digest.values())}
        is_dated = any(line.effective_at is not None for line in lines)
        switches = TrackingChange.objects.filter(api_key__in=key_ids).values_list("api_key")
        return cls(
            users=users.by_external_id({line.fields["user"] for line in lines if not line.is_end}),
            organizations=places,
            projects={str(one.external_id): one for one in Project.objects.filter(external_id__in=project_ids)},
            by_digest=by_digest,
            foreign=_of_others(digests),
            attributed=_attributed(key_ids) if said else {},
            tracked_at=dict(switches.annotate(Max("effective_at"))) if is_dated else {},
            open_from=_open_from(places, rows) if is_dated else {},
        )


class APIKeys:
    """The kind `api_keys`."""

    name = "api_keys"

    def passes(self, lines: list[Line]) -> list[list[Line]]:
        return [lines]

    def decide(self, lines: list[Line], now: datetime) -> list[Decision]:
        found = {
            row.external_id: row for row in self.rows().filter(external_id__in=[line.external_id for line in lines])
        }
        known = Known.of(lines, list(found.values()))
        decisions = [Decision(line, row=found.get(line.external_id)) for line in lines]
        put = partial(_put, known=known, now=now, used=set())
        return judged(decisions, put=put, end=_end)

    def guard(self, decisions: list[Decision]) -> AbstractContextManager[datetime]:
        return alone_with(decisions)

    def create(self, decisions: list[Decision], now: datetime, actor: Actor) -> None:
        for decision in decisions:
            decision.new.created_at = decision.line.fields.get("created_at", now)
        for is_made in (True, False):
            if of_these := [one.new for one in decisions if (one.secret is not None) == is_made]:
                store(of_these, actor, imported=not is_made)

    def rows(self) -> "QuerySet[APIKey]":
        return APIKey.objects.filter(external_id__isnull=False).select_related("user__default_organization")

    def show(self, rows: list[APIKey]) -> list[ProvisionedAPIKey]:
        attributions: dict[int, list[ProvisionedAttribution]] = {}
        for (key_id, _), row in _attributed({row.pk for row in rows}).items():
            attributions.setdefault(key_id, []).append(_shown(row))
        return [
            {
                "external_id": str(row.external_id),
                "id": row.public_id,
                "user": row.user.external_id,
                "user_id": row.user.public_id,
                "name": row.name,
                "redacted": row.redacted,
                "tracked": row.tracked,
                "attributions": attributions.get(row.pk, []),
                "created_at": row.created_at,
                "last_used_at": row.last_used_at,
                "expires_at": row.expires_at,
                "revoked_at": row.revoked_at,
            }
            for row in rows
        ]


def _put(decision: Decision, *, known: Known, now: datetime, used: set[bytes]) -> None:
    line, fields = decision.line, decision.line.fields
    user = known.users.get(fields["user"])
    if user is None:
        raise unknown("user", fields["user"])
    moment_of(line, now)
    digest = bytes.fromhex(fields["digest"]) if "digest" in fields else None
    if digest is not None:
        _require_free(digest, known, used)
        _take_over(decision, digest, known, user)
    row: APIKey | None = decision.row
    if row is None:
        decision.status, decision.new = Status.CREATED, _new(decision, user, digest, now)
    else:
        _require_same(row, user, digest, fields)
        _change(decision, row, user, known)
    if "attribution" in fields:
        _attribute(decision, user, known)


def _require_free(digest: bytes, known: Known, used: set[bytes]) -> None:
    if digest in known.foreign or digest in used:
        raise _taken()
    used.add(digest)


def _take_over(decision: Decision, digest: bytes, known: Known, user: User) -> None:
    """A key of the same person that is here without an id of the operator's is known by this one from now on."""
    line, owner = decision.line, known.by_digest.get(digest)
    if owner is None or (decision.row is not None and decision.row.pk == owner.pk):
        return
    if decision.row is not None or owner.user_id != user.pk or owner.external_id is not None or owner.revoked_at:
        raise _taken()
    decision.row = owner
    decision.does(lambda _now, actor: _adopt(owner, line.external_id, actor))


def _adopt(row: APIKey, external_id: str, actor: Actor) -> None:
    row.external_id = external_id
    row.save(update_fields=["external_id"])
    audit.record(
        "api_key.taken_over",
        actor=actor,
        organization=row.user.default_organization,
        target_id=row.public_id,
        target_name=row.name,
        details={"user": row.user.email},
    )


def _new(decision: Decision, user: User, digest: bytes | None, now: datetime) -> APIKey:
    fields = decision.line.fields
    created_at = fields.get("created_at", now)
    if created_at > now:
        raise RefusedError("invalid_request", "created_at: The key is created in the future.", param="created_at")
    if digest is None:
        decision.secret = secrets.make_api_key_secret()
    return APIKey(
        external_id=decision.line.external_id,
        user=user,
        name=_clean(fields["name"]),
        digest=digest or secrets.digest(decision.secret or ""),
        redacted=secrets.redact(decision.secret) if decision.secret else UNKNOWN_ENDING,
        tracked=fields.get("tracked", created_at >= TRACKED_BY_DEFAULT_FROM),
        created_at=created_at,
        expires_at=fields.get("expires_at"),
    )


def _require_same(row: APIKey, user: User, digest: bytes | None, fields: Mapping[str, Any]) -> None:
    """Raises RefusedError for what a key has for ever."""
    if row.revoked_at is not None:
        raise ended(row)
    if row.user_id != user.pk:
        raise immutable("user", f"This key is {row.user}'s. End it, and give the other person a key under another id.")
    if digest is not None and digest != bytes(row.digest):
        raise immutable("digest", "This key has another secret. End it, and put the new one under another id.")
    if fields.get("created_at", row.created_at) != row.created_at:
        raise immutable("created_at", "A key stays created when it was.")


def _change(decision: Decision, row: APIKey, user: User, known: Known) -> None:
    line, fields = decision.line, decision.line.fields
    name = _clean(fields["name"])
    if row.name != name:
        decision.does(lambda _now, actor: rename_api_key(api_key=row, name=name, actor=actor))
    expires_at = fields.get("expires_at", row.expires_at)
    if row.expires_at != expires_at:
        decision.people = (user,)
        decision.does(lambda _now, actor: set_expiry(api_key=row, expires_at=expires_at, actor=actor))
    tracked = fields.get("tracked", row.tracked)
    if row.tracked != tracked:
        _require_forward(line, known.tracked_at.get(row.pk), known.open_from.get(user.default_organization_id or 0))
        decision.people = (user,)
        decision.does(
            lambda now, actor: set_tracking(api_key=row, tracked=tracked, now=line.effective_at or now, actor=actor)
        )


def _attribute(decision: Decision, user: User, known: Known) -> None:
    line, said = decision.line, decision.line.fields["attribution"]
    organization = known.organizations.get(said["organization"])
    if organization is None:
        raise unknown("attribution.organization", said["organization"])
    key = decision.row or decision.new
    before = known.attributed.get((key.pk, organization.pk)) if key.pk else None
    project = before.project if before else None
    if "project" in said:
        project = _project(said["project"], known, organization)
    values = {name: text.strip() for name, text in said["attributes"].items()} if "attributes" in said else None
    kept = before.attributes if before else {}
    wanted = kept if values is None else {name: text for name, text in values.items() if text}
    has = (before.project_id if before else None, kept)
    if has == (project.pk if project and not project.is_default else None, wanted):
        return
    _require_forward(line, before.effective_at if before else None, known.open_from.get(organization.pk))
    decision.people = (user,) if decision.new is None else decision.people
    decision.organizations = (organization,)

    def attribute(now: datetime, actor: Actor) -> None:
        moment = line.effective_at or now
        set_attribution(
            api_key=key, organization=organization, project=project, attributes=wanted, now=moment, actor=actor
        )

    decision.does(attribute)


def _project(external_id: str | None, known: Known, organization: Organization) -> Project | None:
    if external_id is None:
        return None
    project = known.projects.get(external_id)
    if project is None or project.organization_id != organization.pk:
        raise unknown("attribution.project", external_id)
    return project


def _end(decision: Decision) -> None:
    row = decision.row
    only_now(decision.line)
    if row is None:
        raise unknown("external_id", decision.line.external_id)
    if row.revoked_at is None:
        decision.people = (row.user,)
        decision.does(lambda now, actor: revoke_api_key(api_key=row, now=now, actor=actor), status=Status.ENDED)


def _require_forward(line: Line, changed_at: datetime | None, open_from: date | None) -> None:
    """Raises RefusedError for a moment that is billed, or before the latest change."""
    moment = line.effective_at
    if moment is None:
        return
    if open_from is not None and moment.date() < open_from:
        raise organizations.billed(open_from)
    if changed_at is not None and moment <= changed_at:
        raise RefusedError(
            "invalid_effective_at",
            f"This changed at {changed_at:%Y-%m-%dT%H:%M:%SZ} last, and changes forward only.",
            param="effective_at",
        )


def _taken() -> RefusedError:
    return RefusedError("digest_taken", "Somebody else has a secret with this digest.", param="digest")


def _clean(name: str) -> str:
    try:
        return clean_name(name)
    except InvalidNameError as error:
        raise RefusedError("invalid_name", str(error), param="name") from error


def _keys_with(digests: list[bytes]) -> dict[bytes, APIKey]:
    """The keys that have, or had before a rotation, secrets with these digests."""
    if not digests:
        return {}
    rows = APIKey.objects.filter(Q(digest__in=digests) | Q(previous_digest__in=digests)).select_related(
        "user__default_organization"
    )
    both = chain.from_iterable(((row.digest, row), (row.previous_digest, row)) for row in rows)
    return {bytes(digest): row for digest, row in both if digest is not None}


def _of_others(digests: list[bytes]) -> frozenset[bytes]:
    """Those of these digests that are of something else than an API key."""
    if not digests:
        return frozenset()
    rows = (model.objects.filter(digest__in=digests) for model in FOREIGN)
    return frozenset(bytes(digest) for found in rows for digest in found.values_list("digest", flat=True))


def _attributed(key_ids: set[int]) -> Latest:
    """What was chosen last for these keys, by key and organization."""
    latest = KeyAttribution.objects.filter(api_key__in=key_ids).distinct("api_key", "organization")
    latest = latest.order_by("api_key", "organization", "-effective_at")
    rows = KeyAttribution.objects.filter(pk__in=latest.values("pk")).select_related("project", "organization")
    return {(row.api_key_id, row.organization_id): row for row in rows.order_by("organization_id")}


def _open_from(places: Mapping[str, Organization], rows: list[APIKey]) -> dict[int, date]:
    homes = {row.user.default_organization_id for row in rows if row.user.default_organization_id}
    return first_open_days(homes | {one.pk for one in places.values()})


def _shown(row: KeyAttribution) -> ProvisionedAttribution:
    return {
        "organization": row.organization.external_id,
        "organization_id": row.organization.public_id,
        "project": row.project.external_id if row.project else None,
        "project_id": row.project.public_id if row.project else None,
        "attributes": row.attributes,
        "effective_at": row.effective_at,
    }
