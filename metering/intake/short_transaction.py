"""A transaction of three round trips: what it begins with, what is done in it, what it ends with.

Django's `atomic` sends BEGIN and COMMIT apart, and asks before each request whether the connection lives. Ingest has
thousands of transactions a second; it sends them together with its first and its last statement, and learns from the
first that a connection is dead. Statements of every transaction are prepared once a connection: reading and planning them took
PostgreSQL longer than doing what they say.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from django.db import connection
from psycopg2 import Error, InterfaceError, OperationalError
from psycopg2.errors import InvalidSqlStatementName

TRANSACTION: Final = ("BEGIN", "COMMIT", "ROLLBACK")
SAVEPOINT: Final = (
    "SAVEPOINT short_transaction",
    "RELEASE SAVEPOINT short_transaction",
    "ROLLBACK TO SAVEPOINT short_transaction",
)

COPY_BYTES: Final = 1 << 20
"""At a time."""


@contextlib.contextmanager
def short_transaction(sql: str, *, prepare: str) -> Iterator["ShortTransaction"]:
    """Begins with the statements in `sql`. Rolled back if it ends without a commit. Raises psycopg2's errors.

    `prepare` are the PREPARE statements of all that is executed by name in it. Inside a transaction of Django's (in tests) it
    is a savepoint of that.
    """
    transaction = ShortTransaction(prepare)
    try:
        transaction.begin(sql)
        yield transaction
    finally:
        transaction.roll_back_if_open()


class ShortTransaction:
    """`first_row` is the first row of the last of the statements that it began with; `cursor` is psycopg2's, not Django's."""

    cursor: Any
    first_row: tuple[Any, ...]

    def __init__(self, prepare: str) -> None:
        self._prepare = prepare
        self._is_open = False
        self._is_outermost = not connection.in_atomic_block
        self._open_sql, self._commit_sql, self._undo_sql = TRANSACTION if self._is_outermost else SAVEPOINT

    def begin(self, sql: str) -> None:
        """On a new connection if the old one has died: then nothing was begun on it."""
        try:
            self._begin(sql)
        except (OperationalError, InterfaceError):
            if not self._is_outermost or connection.connection is None or not connection.connection.closed:
                raise
            connection.close()
            self._begin(sql)

    def commit(self, sql: str = "", parameters: Sequence[Any] = ()) -> None:
        """Run the last statement, if there is one, and commit."""
        self.cursor.execute(f"{sql}; {self._commit_sql}", parameters)
        self._is_open = False

    def copy_and_commit(self, copy: str, file: IO[bytes], sql: str, parameters: Sequence[Any]) -> None:
        """COPY … FROM STDIN, the last statement, and commit, in one message: PostgreSQL goes on behind the rows by itself."""
        last = self.cursor.mogrify(sql, parameters).decode()
        self.cursor.copy_expert(f"{copy}; {last}; {self._commit_sql}", file, COPY_BYTES)
        self._is_open = False

    def roll_back_if_open(self) -> None:
        if not self._is_open:
            return
        try:
            self.cursor.execute(self._undo_sql)
        except Error:
            connection.close()

    def _begin(self, sql: str) -> None:
        connection.ensure_connection()
        self.cursor = connection.connection.cursor()
        self._is_open = True
        try:
            self.cursor.execute(f"{self._open_sql}; {sql}")
        except InvalidSqlStatementName:  # on a new connection, or after DISCARD ALL
            self.cursor.execute(f"{self._undo_sql}; DEALLOCATE ALL; {self._prepare}; {self._open_sql}; {sql}")
        self.first_row = self.cursor.fetchone()
        connection.health_check_done = True  # type: ignore[attr-defined]  # this was it, so that Django does not ask again
