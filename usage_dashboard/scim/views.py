"""`/scim/v2/…`: who is in an organization, from its identity provider, with a SCIM token of the organization."""

from importlib import import_module
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException

from accounts.audit.audit import Actor, client_address
from accounts.installation.site import address_of
from apikeys.adminkeys.authentication import opened_by
from apikeys.authentication import bearer_digest
from apikeys.models import ScimToken
from usage_dashboard.scim.providers import Provider

MEDIA_TYPE: Final = "application/scim+json"
ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
UNAUTHENTICATED: Final = "Send `Authorization: Bearer …` with a valid SCIM token (`scim-…`)."
TOO_BIG: Final = "This is more than is taken in one request."
GONE: Final = "This organization has ended."


@csrf_exempt
def scim(request: HttpRequest, path: str = "") -> HttpResponse:
    """Every address of SCIM. A request counts against its token's limit."""
    try:
        token = _token(request)
        if token.organization.ended_at is not None or token.organization.is_personal:
            return _error(403, GONE)
        return _served(request, token, path)
    except APIException as error:
        return _refused(error)
    except RequestDataTooBig:
        return _error(413, TOO_BIG)
    except (OperationalError, InterfaceError):
        answer = _error(503, "The data could not be reached now; send it again.")
        answer["Retry-After"] = "1"
        return answer


def _token(request: HttpRequest) -> ScimToken:
    """Raises APIException."""
    digest = bearer_digest(request.headers.get("Authorization", ""))
    rows, most = ScimToken.objects.select_related("organization"), settings.SCIM_REQUESTS_PER_MINUTE
    token, _, _ = opened_by(digest, request.META, rows=rows, most=most, refusal=UNAUTHENTICATED)
    return token


def _served(request: HttpRequest, token: ScimToken, path: str) -> HttpResponse:
    actor = Actor(name=f"SCIM token “{token.name}” ({token.redacted})"[:254], address=client_address(request))
    served: Any = import_module("usage_dashboard.scim.serving").serve(
        Provider(token.organization, actor),
        method=request.method,
        base_url=address_of("/scim/v2"),
        path=f"/{path}",
        query=request.GET.dict(),
        headers=dict(request.headers),
        body=request.body,
    )
    return _answer(served.body, int(served.status), served.headers)


def _refused(error: APIException) -> HttpResponse:
    answer = _error(error.status_code, str(error.detail))
    if error.status_code == 401:
        answer["WWW-Authenticate"] = "Bearer"
    if wait := getattr(error, "wait", None):
        answer["Retry-After"] = str(int(wait))
    return answer


def _error(status: int, detail: str) -> HttpResponse:
    return _answer({"schemas": [ERROR], "status": str(status), "detail": detail}, status, {})


def _answer(body: Any, status: int, headers: dict[str, str]) -> HttpResponse:
    answer = HttpResponse(status=status) if body is None else JsonResponse(body, status=status)
    for name, value in {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **headers}.items():
        answer[name] = value
    return answer
