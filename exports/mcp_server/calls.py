"""One call of a tool: its admin key is asked about anew, one snapshot is read, and what goes wrong is said in a sentence."""

import json
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.http import Http404
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from rest_framework.exceptions import APIException, AuthenticationFailed

from apikeys import secrets
from apikeys.adminkeys.authentication import AdminCaller, MissingScopeError, caller_of
from exports.admin_api.rendering import ExactJSONRenderer
from metering.usage.declared import declared_in
from metering.usage.owned import Asked, OwnedIds, find_owned

logger = logging.getLogger(__name__)
MAKE_ONE: Final = "An owner can make one in organization settings, Admin keys."
NO_KEY: Final = f"No admin key: set MCP_ADMIN_KEY in the environment of this server to one (`sk-admin-…`). {MAKE_ONE}"
WRONG_KEY: Final = f"The admin key in MCP_ADMIN_KEY is unknown, expired or revoked. {MAKE_ONE}"
UNAVAILABLE: Final = "The data could not be read now. Ask again in a moment, or for fewer days."


@contextmanager
def opened(*scopes: str) -> Iterator[AdminCaller]:
    """The caller behind the key, which is valid now, has these scopes and has a request left in this minute. Inside, one
    snapshot of the database is read, and PostgreSQL refuses to write. Raises ToolError for all that can be expected.
    """
    try:
        caller = _caller()
        for scope in scopes:
            caller.require(scope)
        with transaction.atomic():
            _read_one_snapshot()
            yield caller
    except MissingScopeError as error:
        raise ToolError(
            f"The admin key does not have the scope `{error.scope}`, which this tool needs. {MAKE_ONE}"
        ) from error
    except APIException as error:
        raise ToolError(str(error.detail)) from error
    except Http404 as error:
        raise ToolError("Nothing that this admin key reads has this id.") from error
    except (OperationalError, InterfaceError) as error:
        logger.warning("The database did not answer.", exc_info=True)
        raise ToolError(UNAVAILABLE) from error
    finally:
        connection.close()  # it belongs to this thread, and nobody knows when the next question comes


def answer(body: dict[str, Any]) -> CallToolResult:
    """The body for programs and, with all digits of its numbers, as text."""
    text = ExactJSONRenderer().render(body).decode()
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=json.loads(text))


def owned(caller: AdminCaller, asked: Asked) -> OwnedIds:
    """What these address values stand for. Raises ToolError for one that no usage which the key reads has: an answer without
    it would read as “nothing was used”."""
    if not any(vars(asked).values()):
        return OwnedIds()
    ids, names = find_owned(caller, asked, declared_in(caller.organizations))
    known = {named.address_value for named in names.known.values()}
    if unknown := [value for values in vars(asked).values() for value in values if value not in known]:
        raise ToolError(f"No usage that this admin key reads has {in_words(unknown)}.")
    return ids


def in_words(values: Collection[str]) -> str:
    """The first few of the values, shortened."""
    return ", ".join(f"“{value[:60]}”" for value in list(values)[:5])


def _caller() -> AdminCaller:
    if not settings.MCP_ADMIN_KEY:
        raise ToolError(NO_KEY)
    try:
        return caller_of(secrets.digest(settings.MCP_ADMIN_KEY), {})
    except AuthenticationFailed as error:
        raise ToolError(WRONG_KEY) from error


def _read_one_snapshot() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
