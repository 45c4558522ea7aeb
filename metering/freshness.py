"""How fresh the rollups are, computed from what waits to be rolled up and not from a clock."""

from datetime import datetime

from django.db import connection


def complete_through() -> datetime:
    """Every event that was acknowledged before this moment (UTC) is in the rollups.

    The arrival of the oldest batch that still waits or, when none does, the database's time.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(min(received_at), statement_timestamp()) FROM metering_ingestbatch WHERE rolled_up_at IS NULL"
        )
        (moment,) = cursor.fetchone()
    assert isinstance(moment, datetime)
    return moment
