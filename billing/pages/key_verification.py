"""`POST /v1/keys/verify`: a gateway asks about a key before it lets a request through (docs/key-verification.md)."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, TypedDict

from django.db import InterfaceError, OperationalError
from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.installation.described import CHECKING, KEY, ORGANIZATION, Described, Errors
from accounts.installation.typed_fields import TypedText
from accounts.models import Organization
from apikeys import secrets
from apikeys.authentication import Gateway, IngestTokenAuthentication
from apikeys.directory import patiently
from apikeys.routing import KeyHistory, purpose_of_key
from apikeys.verification import Verdict, verify
from billing.budgets.blocks import Block, Purpose, Use, block_of
from metering.attributions.purpose import InvalidAttributeError, UnknownProjectError, purpose

BUDGET_EXHAUSTED = "budget_exhausted"
UNKNOWN_PROJECT = "unknown_project"
INVALID_ATTRIBUTE = "invalid_attribute"


class Question(serializers.Serializer[dict[str, str]]):
    """Which key, by its secret or its public id, and what the request names, if any: the organization, the model,
    the project and values of attributes, as in an event.

    A field that is null or empty says nothing.
    """

    key = TypedText(max_length=512, required=False, allow_null=True, allow_blank=True)
    api_key_id = TypedText(max_length=64, required=False, allow_null=True, allow_blank=True)
    organization = TypedText(max_length=64, required=False, allow_null=True, allow_blank=True)
    model = TypedText(max_length=128, required=False, allow_null=True, allow_blank=True)
    project = TypedText(max_length=64, required=False, allow_null=True, allow_blank=True)
    attributes = serializers.DictField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        said = {name: value for name, value in attrs.items() if value}
        if ("key" in said) == ("api_key_id" in said):
            raise ValidationError("Send either `key` or `api_key_id`.")
        return said


class UnavailableError(APIException):
    """The database does not answer; nothing can be said about any key."""

    status_code = 503
    default_code = "unavailable"
    default_detail = "The key could not be checked now; ask again."


class Verification(TypedDict):
    """`reason` is null where `allowed`; `budget` and `message` are of a spent budget."""

    valid: bool
    allowed: bool
    api_key_id: str | None
    user_id: str | None
    organization: str | None
    tracked: bool
    reason: (
        Literal[
            "unknown_key",
            "revoked",
            "expired",
            "not_a_member",
            "unknown_project",
            "invalid_attribute",
            "budget_exhausted",
        ]
        | None
    )
    budget: Literal["organization", "project", "api_key", "user", "model", "attribute"] | None
    message: str | None


class KeyVerification(Described, APIView):
    """200 for every readable question, with the same fields in every answer, whether the key exists or not."""

    title = "Ask about a key"
    audience = CHECKING
    question = Question
    example = {"api_key_id": KEY, "organization": ORGANIZATION, "model": "gpt-4o"}
    answer = Verification
    authentication_classes = [IngestTokenAuthentication]

    def errors(self) -> Errors:
        return {
            400: {
                "parse_error": "the body is no JSON",
                "invalid": "neither or both of `key` and `api_key_id`, or a wrong type",
            },
            401: {"authentication_failed": "no ingest token, or one that is unknown, revoked or expired"},
            415: {"unsupported_media_type": "the `Content-Type` is not `application/json`"},
            429: {
                "too_many_unknown_secrets": "many unknown tokens came from your address; ask again after `Retry-After` seconds"
            },
            503: {"unavailable": "the database does not answer; ask again after `Retry-After` seconds"},
        }

    def post(self, request: Request) -> Response:
        question = Question(data=request.data)
        question.is_valid(raise_exception=True)
        asked = question.validated_data
        gateway = request.auth
        assert isinstance(gateway, Gateway)
        digest_or_id = secrets.digest(asked["key"]) if "key" in asked else asked["api_key_id"]
        verdict = verify(gateway.known, digest_or_id, named=asked.get("organization"), now=gateway.now)
        return Response(_answer(gateway, verdict, asked), headers={"Cache-Control": "no-store"})

    def handle_exception(self, exc: Exception) -> Response:
        """Errors in the shape of the other endpoints; what was sent is never repeated, because it may be a secret."""
        if isinstance(exc, (OperationalError, InterfaceError)):
            exc = UnavailableError()
        response = super().handle_exception(exc)
        code = getattr(exc, "default_code", "error")
        response.data = {"error": {"code": code, "message": _sentence(exc)}}
        if response.status_code == 503:
            response["Retry-After"] = "1"
        return response


def _answer(gateway: Gateway, verdict: Verdict, asked: Mapping[str, Any]) -> dict[str, Any]:
    organization, reason, block = verdict.organization, verdict.reason, None
    if organization is not None and verdict.key is not None and verdict.valid:
        reason, block = _objection(gateway, organization, verdict.key, asked)
    return {
        "valid": verdict.valid,
        "allowed": verdict.valid and reason is None and block is None,
        "api_key_id": verdict.api_key_id,
        "user_id": verdict.user_id,
        "organization": organization.public_id if organization is not None else None,
        "tracked": verdict.tracked,
        "reason": reason or (BUDGET_EXHAUSTED if block else None),
        "budget": block.kind if block else None,
        "message": block.message if block else None,
    }


def _objection(
    gateway: Gateway, organization: Organization, key: KeyHistory, asked: Mapping[str, Any]
) -> tuple[str | None, Block | None]:
    """Why an event that says this would be refused, or the spent budget that covers it."""
    ask_purpose = partial(_purpose, gateway, organization.pk, key, asked)
    try:
        if "project" in asked or "attributes" in asked:
            ask_purpose()
    except UnknownProjectError:
        return UNKNOWN_PROJECT, None
    except InvalidAttributeError:
        return INVALID_ATTRIBUTE, None
    return None, block_of(Use(organization, key.id, key.user_id, asked.get("model"), ask_purpose))


def _purpose(gateway: Gateway, organization_id: int, key: KeyHistory, asked: Mapping[str, Any]) -> Purpose:
    """What the use is for, as ingest decides of an event that says so at this moment."""
    declared = patiently(lambda: gateway.known.declarations(organization_id))
    attributes = json.dumps(asked["attributes"]).encode() if "attributes" in asked else b""
    found = purpose(declared, purpose_of_key(key, organization_id, gateway.now), asked.get("project"), attributes)
    values = dict(found.values)
    return found.project, {name: values[number] for name, number in declared.attributes.items() if number in values}


def _sentence(exc: Exception) -> str:
    if isinstance(exc, ValidationError):
        return "Send a JSON object with either `key` or `api_key_id`, and `organization` if the request named one."
    return str(getattr(exc, "detail", exc))
