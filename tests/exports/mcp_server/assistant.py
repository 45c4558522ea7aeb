"""An assistant that has `manage.py mcp` as a server: the SDK's own client over stdin and stdout of a real process."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from anyio.from_thread import BlockingPortal, start_blocking_portal
from django.conf import settings
from django.db import connection
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent, Tool

Connect = Callable[..., "Assistant"]


class RefusedError(Exception):
    """A tool answered that it cannot; the message is its sentence."""


class Assistant:
    """A session with the server; `call` is one question."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self._client = client

    def tools(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self._portal.call(self._client.list_tools).tools}

    def instructions(self) -> str:
        return self._client.instructions or ""

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The answer, which reads the same for programs and as text. Raises RefusedError."""
        result: CallToolResult = self._portal.call(self._client.call_tool, name, arguments)
        (content,) = result.content
        assert isinstance(content, TextContent)
        if result.is_error:
            raise RefusedError(content.text.removeprefix(f"Error executing tool {name}: "))
        answer = json.loads(content.text)
        assert answer == result.structured_content
        assert isinstance(answer, dict)
        return answer


def environment(secret: str, **settings_of_server: str) -> dict[str, str]:
    """What the server is started with: the tests' database, and a key."""
    where = connection.settings_dict
    login = quote(where["USER"]) + (f":{quote(where['PASSWORD'])}" if where["PASSWORD"] else "")
    port = f":{where['PORT']}" if where["PORT"] else ""
    address = f"{login}@{where['HOST']}{port}/{where['NAME']}"
    if where["HOST"].startswith("/"):  # the directory of a socket
        address = f"{login}@{port}/{where['NAME']}?host={quote(where['HOST'], safe='')}"
    return {
        "DATABASE_URL": f"postgres://{address}",
        "DATA_DIR": str(settings.DATA_DIR),
        "MCP_ADMIN_KEY": secret,
        **settings_of_server,
    }


@contextmanager
def connected(secret: str, **settings_of_server: str) -> Iterator[Assistant]:
    """A session with a server of its own, which ends with it."""
    server = StdioServerParameters(
        command=sys.executable,
        args=[str(Path(settings.BASE_DIR) / "manage.py"), "mcp"],
        env=environment(secret, **settings_of_server),
    )
    failure: Exception | None = None
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(server)) as client:
        try:
            yield Assistant(portal, client)
        except Exception as error:  # noqa: BLE001 - raised again below; the client would wrap it in groups
            failure = error
    if failure is not None:
        raise failure
