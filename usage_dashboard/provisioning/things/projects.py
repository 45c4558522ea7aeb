"""Projects of organizations by the operator's own id."""

from contextlib import AbstractContextManager
from datetime import datetime

from django.db.models import QuerySet

from accounts.audit.audit import Actor
from accounts.changes import organization_change
from accounts.models import Organization, Project
from accounts.projects.projects import archive_project, make_project, rename_project, restore_project
from usage_dashboard.provisioning.lines import Decision, Line, Status, immutable, judged, only_now, unknown
from usage_dashboard.provisioning.shapes import ProvisionedProject
from usage_dashboard.provisioning.things import organizations


class Projects:
    """The kind `projects`."""

    name = "projects"

    def passes(self, lines: list[Line]) -> list[list[Line]]:
        return [lines]

    def decide(self, lines: list[Line], now: datetime) -> list[Decision]:  # noqa: ARG002 - one signature
        places = organizations.by_external_id({line.fields["organization"] for line in lines if not line.is_end})
        found = {
            row.external_id: row for row in self.rows().filter(external_id__in=[line.external_id for line in lines])
        }
        decisions = [Decision(line, row=found.get(line.external_id)) for line in lines]
        return judged(
            decisions, put=lambda decision: _put(decision, places.get(decision.line.fields["organization"])), end=_end
        )

    def guard(self, decisions: list[Decision]) -> AbstractContextManager[datetime]:
        return organization_change(*{one for decision in decisions for one in decision.organizations})

    def create(self, decisions: list[Decision], now: datetime, actor: Actor) -> None:
        """There are no rows that are made at once: each has a name that is free in its organization."""

    def rows(self) -> "QuerySet[Project]":
        return Project.objects.filter(external_id__isnull=False).select_related("organization")

    def show(self, rows: list[Project]) -> list[ProvisionedProject]:
        return [
            {
                "external_id": str(row.external_id),
                "id": row.public_id,
                "organization": row.organization.external_id,
                "organization_id": row.organization.public_id,
                "name": row.name,
                "created_at": row.created_at,
                "archived_at": row.archived_at,
            }
            for row in rows
        ]


def _put(decision: Decision, organization: Organization | None) -> None:
    line, row = decision.line, decision.row
    only_now(line)
    if organization is None:
        raise unknown("organization", line.fields["organization"])
    decision.organizations = (organization,)
    name = line.fields["name"]
    if row is None:
        decision.does(lambda _now, actor: _make(decision, organization, actor), status=Status.CREATED)
        return
    if row.organization_id != organization.pk:
        raise immutable("organization", f"“{line.external_id}” is a project of {row.organization}.")
    if row.archived_at is not None:
        decision.does(lambda _now, actor: restore_project(project=row, actor=actor))
    if row.name != name:
        decision.does(lambda _now, actor: rename_project(project=row, name=name, actor=actor))


def _make(decision: Decision, organization: Organization, actor: Actor) -> None:
    line = decision.line
    decision.row = make_project(organization=organization, name=line.fields["name"], actor=actor)
    decision.row.external_id = line.external_id
    decision.row.save(update_fields=["external_id"])


def _end(decision: Decision) -> None:
    row = decision.row
    only_now(decision.line)
    if row is None:
        raise unknown("external_id", decision.line.external_id)
    if row.archived_at is None:
        decision.organizations = (row.organization,)
        decision.does(lambda now, actor: archive_project(project=row, now=now, actor=actor), status=Status.ENDED)
