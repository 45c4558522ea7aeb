"""The menu of the installation: which pages there are. The project at the top hands it down, as the setting MENU."""

from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

OWNERS = frozenset({"owner"})
ADMINS = OWNERS | {"admin"}
EVERYONE = ADMINS | {"reader"}


@dataclass(frozen=True)
class Page:
    """One page of the menu: its label, the name of its address, and what opens it: for pages of an organization the roles,
    for those of staff a right, or none for all staff."""

    label: str
    name: str
    roles: frozenset[str] = EVERYONE
    right: str = ""


@dataclass(frozen=True)
class Menu:
    """All pages that the frame leads to. `usage` names the one that an organization opens with, `views` are the views of its
    usage."""

    organization: tuple[Page, ...]
    user: tuple[Page, ...]
    staff: tuple[Page, ...]
    views: tuple[Page, ...]
    usage: str
    to_read: tuple[str, ...] = ()
    """Pages of an organization that other pages lead to, and that change nothing. Staff that has opened it sees these."""

    @property
    def names_to_read(self) -> frozenset[str]:
        """What staff sees of an organization that it has opened to read: its pages, and nothing that is not named here."""
        return frozenset((*(page.name for page in (*self.organization, *self.views)), *self.to_read))


@cache
def menu() -> Menu:
    """The menu that the setting MENU names."""
    found = import_string(settings.MENU)
    assert isinstance(found, Menu)
    return found
