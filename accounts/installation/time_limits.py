"""How long a statement may take, and a transaction may do nothing, on the connections of web and workers.

A statement that never ends, or a transaction that somebody forgot, would hold locks and connections until nothing works; so
would a connection whose other end vanished with its machine, until PostgreSQL asks whether it is still there.
Commands at a terminal have no such limits: somebody watches them.
"""

from typing import Any, Final

from django.conf import settings
from django.db import connections

ARE_YOU_THERE: Final = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"

COMPILES_NOTHING: Final = "-c jit=off"
"""PostgreSQL with LLVM compiles what it expects to be expensive, which takes longer than any statement of a page."""


def limit_connections() -> None:
    """Every connection that this process opens from now on has the limits of the settings; 0 is none. It compiles nothing."""
    own = (
        f"-c statement_timeout={_milliseconds(settings.DATABASE_STATEMENT_TIMEOUT_SECONDS)}"
        f" -c idle_in_transaction_session_timeout={_milliseconds(settings.DATABASE_IDLE_TRANSACTION_TIMEOUT_SECONDS)}"
        f" {ARE_YOU_THERE} {COMPILES_NOTHING}"
    )
    options = connections.settings["default"]["OPTIONS"]
    options["options"] = f"{own} {options.get('options', '')}".strip()  # an operator's own come later and hold


def take_long(cursor: Any) -> None:
    """Until this transaction ends it has the limit of what is long by design: rollups, proofs, exports, invoices."""
    milliseconds = _milliseconds(settings.DATABASE_LONG_STATEMENT_TIMEOUT_SECONDS)
    cursor.execute(
        f"SET LOCAL statement_timeout = {milliseconds}; SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
