"""The end of a person's sessions, whoever closes the door."""

from allauth.usersessions.models import UserSession

from accounts.entrance.log import record
from accounts.models import User


def end_sessions(user: User, *, method: str) -> int:
    """The person is signed out in every browser, each on record; returns in how many. `method`: by whom, in a few words."""
    sessions: list[UserSession] = UserSession.objects.purge_and_list(user)
    for session in sessions:
        session.end()
        record("session.ended", user=user, request=None, method=method)
    return len(sessions)
