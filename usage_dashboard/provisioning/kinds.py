"""All that is provisioned, in the order in which one thing needs another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apikeys.models import OperatorToken
from usage_dashboard.provisioning import fields, shapes
from usage_dashboard.provisioning.lines import Kind
from usage_dashboard.provisioning.organizations import Organizations
from usage_dashboard.provisioning.users import Users


@dataclass(frozen=True)
class Provisioned:
    """A kind, what its lines say, the shape in which it is answered, the scope that a token needs for it, and what one of it
    is called."""

    kind: Kind
    fields: type[fields.Fields]
    shape: Any
    scope: str
    word: str


KINDS: Final[Mapping[str, Provisioned]] = {
    "organizations": Provisioned(
        Organizations(),
        fields.OrganizationFields,
        shapes.ProvisionedOrganization,
        OperatorToken.Scope.ORGANIZATIONS,
        "an organization",
    ),
    "users": Provisioned(Users(), fields.UserFields, shapes.ProvisionedUser, OperatorToken.Scope.USERS, "a user"),
}
