"""SCIM 2.0 (RFC 7643, 7644) by scim2-server. This module is read when a process gets its first request for /scim/v2: the
models behind it take a second and 30 MB, which nobody else is to pay.
"""

from typing import Any, Final

from django.db import DataError
from scim2_models import (
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    ETag,
    Filter,
    Group,
    InvalidValueException,
    Patch,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
)
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService

from usage_dashboard.scim.providers import Provider
from usage_dashboard.scim.resources import User
from usage_dashboard.scim.storage import OrganizationStorage

MOST_RESULTS: Final = 200
CONFIG: Final = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST_RESULTS),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=True),
    authentication_schemes=[
        AuthenticationScheme(
            name="Bearer token",
            type=AuthenticationScheme.Type.oauthbearertoken,
            description="A SCIM token, which owners make under Provisioning in the settings of their organization.",
            primary=True,
        )
    ],
)
POLICY: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
"""As Entra and Okta send: attributes that we do not have are passed over, and PATCH is understood as they mean it."""

SERVICE: Final = ScimService(ScimProvider(models=[User, Group], config=CONFIG, policy=POLICY))


def serve(by: Provider, **request: Any) -> ScimResponse:
    """The answer to a request of a provider; what the protocol refuses is one of its errors, all else rises."""
    try:
        return ScimHandler(SERVICE, OrganizationStorage(by)).handle(ScimRequest(**request))
    except DataError:  # what the database cannot keep, and no check before it has found
        return SERVICE.error_response(InvalidValueException(detail="A value cannot be kept."))
    except Exception as error:
        if SERVICE.error_of(error).status == 500:
            raise
        return SERVICE.error_response(error)
