#!/usr/bin/env python3
"""Django's command line for this project."""

import os
import sys

try:
    import psycopg2
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, connection
except ModuleNotFoundError as error:
    sys.exit(
        f"This Python has not what the product needs ({error.name}): type “.venv/bin/python manage.py …” in its directory. "
        "“make demo” and “make run” make .venv."
    )


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usage_dashboard.settings")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if not _could_not_connect(error):
            raise
        sys.exit(
            f"PostgreSQL does not answer at {connection.settings_dict['HOST']}. "
            f"Start it with “make demo” or “make run”, or set DATABASE_URL. It said:\n{error}"
        )


def _could_not_connect(error: OperationalError) -> bool:
    """PostgreSQL gives its own errors a code; having no connection has none."""
    return isinstance(error.__cause__, psycopg2.OperationalError) and error.__cause__.pgcode is None


if __name__ == "__main__":
    main()
