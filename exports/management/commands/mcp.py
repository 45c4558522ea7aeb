from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.installation.time_limits import limit_connections


class Command(BaseCommand):
    help = (
        "Answers an assistant's questions about usage, costs, keys and invoices over stdin and stdout (Model Context "
        "Protocol), with the admin key in MCP_ADMIN_KEY. docs/mcp.md says how to add it to an assistant."
    )
    requires_system_checks = ()

    def handle(self, **_options: Any) -> None:
        if find_spec("mcp") is None:
            raise CommandError(
                "The optional extra “mcp” is not installed: .venv/bin/pip install 'mcp>=2.3,<3', "
                "or in containers an image with it (docs/operations.md, “Optional extras”)."
            )
        limit_connections()
        import_module("exports.mcp_server.server").serve()
