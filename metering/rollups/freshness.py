"""How fresh the rollups are, computed from what waits to be rolled up and not from a clock."""

from datetime import datetime

from django.db import connection

from metering.rollups.run import IS_WAITING


def complete_through() -> datetime:
    """Every event that was acknowledged before this moment (UTC) is in the rollups.

    The arrival of the oldest batch that still waits or, when none does, the database's time. Batches that were set aside
    because runs fail on them do not count: staff are told of those.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(min(received_at), statement_timestamp()) FROM metering_ingestbatch WHERE {IS_WAITING}"
        )
        (moment,) = cursor.fetchone()
    assert isinstance(moment, datetime)
    return moment
