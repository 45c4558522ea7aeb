"""All that is provisioned, in the order in which one thing needs another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apikeys.models import OperatorToken
from usage_dashboard.provisioning import fields, shapes
from usage_dashboard.provisioning.lines import Kind
from usage_dashboard.provisioning.things.keys import APIKeys
from usage_dashboard.provisioning.things.memberships import Memberships
from usage_dashboard.provisioning.things.organizations import Organizations
from usage_dashboard.provisioning.things.projects import Projects
from usage_dashboard.provisioning.things.tokens import AdminKeys, IngestTokens
from usage_dashboard.provisioning.things.users import Users


@dataclass(frozen=True)
class Provisioned:
    """A kind, what its lines say, the shape in which it is answered, the scope that a token needs for it, and what one of it
    is called."""

    kind: Kind
    fields: type[fields.Fields]
    shape: Any
    scope: str
    word: str


Scope = OperatorToken.Scope
KINDS: Final[Mapping[str, Provisioned]] = {
    found.kind.name: found
    for found in (
        Provisioned(
            Organizations(),
            fields.OrganizationFields,
            shapes.ProvisionedOrganization,
            Scope.ORGANIZATIONS,
            "an organization",
        ),
        Provisioned(Users(), fields.UserFields, shapes.ProvisionedUser, Scope.USERS, "a user"),
        Provisioned(
            Memberships(), fields.MembershipFields, shapes.ProvisionedMembership, Scope.MEMBERSHIPS, "a membership"
        ),
        Provisioned(Projects(), fields.ProjectFields, shapes.ProvisionedProject, Scope.PROJECTS, "a project"),
        Provisioned(APIKeys(), fields.APIKeyFields, shapes.ProvisionedAPIKey, Scope.API_KEYS, "an API key"),
        Provisioned(AdminKeys(), fields.AdminKeyFields, shapes.ProvisionedAdminKey, Scope.ADMIN_KEYS, "an admin key"),
        Provisioned(
            IngestTokens(),
            fields.IngestTokenFields,
            shapes.ProvisionedIngestToken,
            Scope.INGEST_TOKENS,
            "an ingest token",
        ),
    )
}
