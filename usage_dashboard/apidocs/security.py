"""Which secret opens an address, as the description says it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from apikeys.adminkeys.authentication import AdminKeyAuthentication
from apikeys.authentication import IngestTokenAuthentication
from apikeys.operatortokens.authentication import OperatorTokenAuthentication

ADMIN_KEY: Final = "adminKey"
ADMIN_KEY_HEADER: Final = "adminKeyHeader"
INGEST_TOKEN: Final = "ingestToken"  # noqa: S105 - a name
API_KEY: Final = "apiKey"
PROVISIONING_TOKEN: Final = "provisioningToken"  # noqa: S105 - a name
OPERATOR_TOKEN: Final = "operatorToken"  # noqa: S105 - a name


def _bearer(description: str) -> dict[str, str]:
    return {"type": "http", "scheme": "bearer", "description": description}


INGEST_TOKEN_SCHEME: Final = _bearer("An ingest token, `it-…`, of a gateway: `manage.py create_ingest_token NAME`.")
SENDER_SCHEMES: Final = {
    INGEST_TOKEN: INGEST_TOKEN_SCHEME,
    API_KEY: _bearer("An API key, `sk-…`, which reports its own usage where the operator lets it."),
}
OPERATOR_SCHEMES: Final = {OPERATOR_TOKEN: _bearer("The installation's `OPERATOR_TOKEN`.")}
ADMIN_SCHEMES: Final = {
    ADMIN_KEY: _bearer("An admin key, `sk-admin-…`: owners make them in organization settings."),
    ADMIN_KEY_HEADER: {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The same, as another header.",
    },
}


def register(schemes: Mapping[str, dict[str, str]], registry: ComponentRegistry) -> list[dict[str, list[str]]]:
    """What an address requires: one of these schemes, which the description has from then on."""
    for name, scheme in schemes.items():
        kind = ResolvedComponent.SECURITY_SCHEMA
        registry.register_on_missing(ResolvedComponent(name=name, type=kind, object=name, schema=scheme))
    return [{name: []} for name in schemes]


class KnownSchemes(OpenApiAuthenticationExtension):
    """Of an authentication class whose schemes are all known by their names."""

    schemes: ClassVar[Mapping[str, dict[str, str]]]
    name = []

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        return register(self.schemes, auto_schema.registry)

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:  # noqa: ARG002 - the framework's
        return []


class AdminKeyScheme(KnownSchemes):
    """Either of two headers."""

    target_class = AdminKeyAuthentication
    schemes = ADMIN_SCHEMES


class ProvisioningScheme(KnownSchemes):
    """A program's of the operator."""

    target_class = OperatorTokenAuthentication
    schemes = {PROVISIONING_TOKEN: _bearer("An operator token, `op-…`: staff makes them in the settings.")}


class IngestTokenScheme(KnownSchemes):
    """A gateway's."""

    target_class = IngestTokenAuthentication
    schemes = {INGEST_TOKEN: INGEST_TOKEN_SCHEME}
