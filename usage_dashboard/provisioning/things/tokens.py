"""Admin keys of organizations and ingest tokens by the operator's own id: made here, and shown once."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts.audit.audit import Actor
from accounts.changes import change, routing_change
from accounts.models import Organization
from apikeys.adminkeys.adminkeys import create_admin_key, revoke_admin_key
from apikeys.keys.keys import create_ingest_token, revoke_ingest_token
from apikeys.models import AdminKey, IngestToken
from usage_dashboard.provisioning.lines import (
    Decision,
    Line,
    Status,
    ended,
    immutable,
    judged,
    only_now,
    unknown,
)
from usage_dashboard.provisioning.shapes import ProvisionedAdminKey, ProvisionedIngestToken
from usage_dashboard.provisioning.things import organizations


class AdminKeys:
    """The kind `admin_keys`."""

    name = "admin_keys"

    def passes(self, lines: list[Line]) -> list[list[Line]]:
        return [lines]

    def decide(self, lines: list[Line], now: datetime) -> list[Decision]:  # noqa: ARG002 - one signature
        places = organizations.by_external_id({line.fields["organization"] for line in lines if not line.is_end})
        found = {
            row.external_id: row for row in self.rows().filter(external_id__in=[line.external_id for line in lines])
        }
        decisions = [Decision(line, row=found.get(line.external_id)) for line in lines]
        return judged(
            decisions,
            put=lambda decision: _put_admin_key(decision, places.get(decision.line.fields["organization"])),
            end=lambda decision: _end(decision, revoke_admin_key, "admin_key"),
        )

    def guard(self, decisions: list[Decision]) -> AbstractContextManager[datetime]:  # noqa: ARG002 - one signature
        return change()

    def create(self, decisions: list[Decision], now: datetime, actor: Actor) -> None:
        """Each is made with its secret."""

    def rows(self) -> "QuerySet[AdminKey]":
        return AdminKey.objects.filter(external_id__isnull=False).select_related("organization")

    def show(self, rows: list[AdminKey]) -> list[ProvisionedAdminKey]:
        return [
            {
                "external_id": str(row.external_id),
                "id": row.public_id,
                "organization": row.organization.external_id,
                "organization_id": row.organization.public_id,
                "name": row.name,
                "redacted": row.redacted,
                "scopes": row.scopes,
                "created_at": row.created_at,
                "last_used_at": row.last_used_at,
                "expires_at": row.expires_at,
                "revoked_at": row.revoked_at,
            }
            for row in rows
        ]


class IngestTokens:
    """The kind `ingest_tokens`."""

    name = "ingest_tokens"

    def passes(self, lines: list[Line]) -> list[list[Line]]:
        return [lines]

    def decide(self, lines: list[Line], now: datetime) -> list[Decision]:  # noqa: ARG002 - one signature
        found = {
            row.external_id: row for row in self.rows().filter(external_id__in=[line.external_id for line in lines])
        }
        decisions = [Decision(line, row=found.get(line.external_id)) for line in lines]
        return judged(
            decisions, put=_put_ingest_token, end=lambda decision: _end(decision, revoke_ingest_token, "token")
        )

    def guard(self, decisions: list[Decision]) -> AbstractContextManager[datetime]:
        """A token that ends is everybody's concern: it reports usage of any key."""
        return routing_change() if any(one.status == Status.ENDED for one in decisions) else change()

    def create(self, decisions: list[Decision], now: datetime, actor: Actor) -> None:
        """Each is made with its secret."""

    def rows(self) -> "QuerySet[IngestToken]":
        return IngestToken.objects.filter(external_id__isnull=False)

    def show(self, rows: list[IngestToken]) -> list[ProvisionedIngestToken]:
        return [
            {
                "external_id": str(row.external_id),
                "name": row.name,
                "redacted": row.redacted,
                "created_at": row.created_at,
                "revoked_at": row.revoked_at,
            }
            for row in rows
        ]


def _put_admin_key(decision: Decision, organization: Organization | None) -> None:
    row, fields = decision.row, decision.line.fields
    only_now(decision.line)
    if organization is None:
        raise unknown("organization", fields["organization"])
    if row is None:
        decision.does(lambda now, actor: _make_admin_key(decision, organization, now, actor), status=Status.CREATED)
        return
    _require_usable(row)
    said = {"name": fields["name"].strip(), "scopes": sorted(set(fields["scopes"])), "organization_id": organization.pk}
    if "expires_at" in fields:
        said["expires_at"] = fields["expires_at"]
    _require_same(row, said)


def _put_ingest_token(decision: Decision) -> None:
    row = decision.row
    only_now(decision.line)
    if row is None:
        decision.does(lambda _now, actor: _make_ingest_token(decision, actor), status=Status.CREATED)
        return
    _require_usable(row)
    _require_same(row, {"name": decision.line.fields["name"].strip()})


def _make_admin_key(decision: Decision, organization: Organization, now: datetime, actor: Actor) -> None:
    fields = decision.line.fields
    row, secret = create_admin_key(
        organization=organization,
        name=fields["name"],
        scopes=fields["scopes"],
        now=now,
        expires_at=fields.get("expires_at"),
        actor=actor,
    )
    _keep(decision, row, secret)


def _make_ingest_token(decision: Decision, actor: Actor) -> None:
    row, secret = create_ingest_token(name=decision.line.fields["name"], actor=actor)
    _keep(decision, row, secret)


def _keep(decision: Decision, row: Any, secret: str) -> None:
    row.external_id = decision.line.external_id
    row.save(update_fields=["external_id"])
    decision.row, decision.secret = row, secret


def _require_usable(row: Any) -> None:
    if row.revoked_at is not None:
        raise ended(row)


def _require_same(row: Any, said: dict[str, Any]) -> None:
    """Raises RefusedError: what a secret opens does not change behind the back of whoever has it."""
    for name, value in said.items():
        if getattr(row, name) != value:
            raise immutable(
                name.removesuffix("_id"), "A secret's name, reach and expiry stay. End it and make another one."
            )


def _end(decision: Decision, revoke: Any, argument: str) -> None:
    row = decision.row
    only_now(decision.line)
    if row is None:
        raise unknown("external_id", decision.line.external_id)
    if row.revoked_at is None:
        decision.does(lambda now, actor: revoke(**{argument: row}, now=now, actor=actor), status=Status.ENDED)
