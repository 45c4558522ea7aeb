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
    """A kind, what its lines say, the shape in which it is answered, the scope that a token needs for it, what one of it is
    called, and an example of one: an id and what is said of it. Each names those of the kinds before it."""

    kind: Kind
    fields: type[fields.Fields]
    shape: Any
    scope: str
    word: str
    example: tuple[str, Mapping[str, Any]]


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
            ("cust-17", {"name": "Initech"}),
        ),
        Provisioned(
            Users(),
            fields.UserFields,
            shapes.ProvisionedUser,
            Scope.USERS,
            "a user",
            ("user-1", {"email": "nora@initech.example", "name": "Nora"}),
        ),
        Provisioned(
            Memberships(),
            fields.MembershipFields,
            shapes.ProvisionedMembership,
            Scope.MEMBERSHIPS,
            "a membership",
            ("user-1@cust-17", {"user": "user-1", "organization": "cust-17", "role": "owner"}),
        ),
        Provisioned(
            Projects(),
            fields.ProjectFields,
            shapes.ProvisionedProject,
            Scope.PROJECTS,
            "a project",
            ("search", {"organization": "cust-17", "name": "Search"}),
        ),
        Provisioned(
            APIKeys(),
            fields.APIKeyFields,
            shapes.ProvisionedAPIKey,
            Scope.API_KEYS,
            "an API key",
            ("key-1", {"user": "user-1", "name": "Nightly"}),
        ),
        Provisioned(
            AdminKeys(),
            fields.AdminKeyFields,
            shapes.ProvisionedAdminKey,
            Scope.ADMIN_KEYS,
            "an admin key",
            ("grafana", {"organization": "cust-17", "name": "Grafana", "scopes": ["usage", "costs"]}),
        ),
        Provisioned(
            IngestTokens(),
            fields.IngestTokenFields,
            shapes.ProvisionedIngestToken,
            Scope.INGEST_TOKENS,
            "an ingest token",
            ("gateway", {"name": "Gateway"}),
        ),
    )
}
