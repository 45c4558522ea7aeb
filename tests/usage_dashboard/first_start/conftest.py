"""An installation that has been set up, and where nobody is staff any more."""

from django.db import connection

from accounts.models import User


def dismiss_everybody() -> None:
    """The database keeps a superuser, so this is done past its guard."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        User.objects.update(is_staff=False, is_superuser=False)
        cursor.execute("RESET session_replication_role")
