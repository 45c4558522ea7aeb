"""The one clock: the database's. Lateness, months and expiry are judged by it, whatever the clock of a web server says."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The database's time at this moment, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    assert isinstance(now, datetime)
    return now
