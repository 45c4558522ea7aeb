"""The organization that a member of staff has opened: its pages, for a while, in one session.

The session only says what was opened. Whether it still holds is asked at every request, of the rights that its user has then.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from accounts.models import Organization, User
from accounts.pages.menu import menu
from accounts.staff.second_factor import lacks_second_factor

READS: Final = "accounts.open_organization"
"""The right to open the pages of any organization, and to read them."""
CHANGES: Final = "accounts.change_opened_organization"
"""The higher right: to do there what its owners may."""
KEPT: Final = "opened_as_staff"
SAFE_METHODS: Final = ("GET", "HEAD")
OVER: Final = "You had opened this organization as staff, and that has ended. Open it again under Customers."


@dataclass(frozen=True)
class Opening:
    """What was opened, until when, and whether it may be changed too."""

    organization_id: int
    until: datetime
    may_change: bool

    def require(self, request: HttpRequest) -> None:
        """Raises PermissionDenied for a change, and for a page that is none to read, unless changes were opened."""
        match = request.resolver_match
        is_to_read = match is not None and match.view_name in menu().names_to_read
        if not self.may_change and not (is_to_read and request.method in SAFE_METHODS):
            raise PermissionDenied("You see this organization as staff, to read: nothing is changed or exported here.")


def opened_by(request: HttpRequest, slug: str) -> tuple[Organization, Opening] | None:
    """The organization at this address, if the user of this session has opened it and still may; else None.

    Raises Http404, which says so, for one whose time is over.
    """
    user, kept = request.user, request.session.get(KEPT)
    if kept is None or not isinstance(user, User) or not may_open(user):
        return None
    opening = Opening(kept["organization"], datetime.fromtimestamp(kept["until"], UTC), kept["may_change"])
    organization = Organization.objects.filter(pk=opening.organization_id, slug=slug).first()
    if organization is None or (opening.may_change and not user.has_perm(CHANGES)):
        return None
    if opening.until <= datetime.now(UTC):
        raise Http404(OVER)
    return organization, opening


def may_open(user: User) -> bool:
    """Whether the user is staff, with the right and a second factor, as of now."""
    return user.is_active and user.is_staff and user.has_perm(READS) and not lacks_second_factor(user)
