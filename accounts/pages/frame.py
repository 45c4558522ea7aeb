"""The frame around every signed-in page: the list on the left, the organization switcher and the user menu."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.urls import reverse

from accounts.access import Access, memberships_of, organizations_of
from accounts.models import Organization, User
from accounts.pages.menu import Page, menu
from accounts.staff.opened import Opening

ALL_ORGANIZATIONS: Final = "accounts:organizations"
SWITCHER_MOST: Final = 20
"""Organizations that the switcher names; to all others it leads by their list."""


class SignedInRequest(HttpRequest):
    """A request behind `login_required`."""

    user: User


@dataclass(frozen=True)
class Link:
    """One entry of the frame."""

    label: str
    address: str
    current: bool = False


@dataclass(frozen=True)
class Frame:
    """What `base.html` draws. `organization` is the one whose settings are open, or the user's default. `opening`: it is
    open to staff."""

    user: User
    organization: Organization | None
    organization_links: tuple[Link, ...]
    user_links: tuple[Link, ...]
    staff_links: tuple[Link, ...]
    switcher: tuple[Link, ...]
    opening: Opening | None = None


def organization_frame(access: Access, *, page: str, switch_to: str = "", query: str = "") -> Frame:
    """The frame of a page of organization settings. The switcher leads to `switch_to` of the other organization, by default
    to its usage."""
    named = organizations_of(access.user)[: SWITCHER_MOST + 1]
    switcher = _switcher(access.organization, named, switch_to=switch_to or menu().usage, query=query)
    return _frame(access.user, access, page, switcher)


def user_frame(user: User, *, page: str) -> Frame:
    """The frame of a page of user settings, beside the organization that is the user's default."""
    memberships = list(memberships_of(user)[: SWITCHER_MOST + 1])
    default = next((found for found in memberships if found.organization_id == user.default_organization_id), None)
    if default is None and len(memberships) > SWITCHER_MOST:
        default = memberships_of(user).filter(organization=user.default_organization_id).first()
    access = None if default is None else Access(user, default.organization, default.role)
    named = (found.organization for found in memberships)
    switcher = _switcher(default.organization if default else None, named, switch_to=menu().usage)
    return _frame(user, access, page, switcher)


def _switcher(
    current: Organization | None, organizations: Iterable[Organization], *, switch_to: str, query: str = ""
) -> tuple[Link, ...]:
    """The first ones by name, the current one among them, and the way to the list of all where there are more."""
    found = list(organizations)
    named = found[:SWITCHER_MOST]
    links = [Link(one.name, _address(switch_to, one.slug, query=query), one == current) for one in named]
    if len(found) <= SWITCHER_MOST:
        return tuple(links)
    if current is not None and current not in named:
        links.insert(0, Link(current.name, _address(switch_to, current.slug, query=query), current=True))
    return (*links, Link("All organizations…", _address(ALL_ORGANIZATIONS)))


def _frame(user: User, access: Access | None, page: str, switcher: tuple[Link, ...]) -> Frame:
    organization = access.organization if access is not None else None
    return Frame(
        user=user,
        organization=organization,
        organization_links=_organization_links(access, page) if access is not None else (),
        user_links=_links(menu().user, page),
        staff_links=_links(_pages_of_staff(user), page),
        opening=access.opening if access is not None else None,
        switcher=switcher,
    )


def _pages_of_staff(user: User) -> Iterable[Page]:
    if not user.is_staff:
        return ()
    return (found for found in menu().staff if not found.right or user.has_perm(found.right))


def _links(pages: Iterable[Page], page: str) -> tuple[Link, ...]:
    return tuple(Link(found.label, _address(found.name), found.name == page) for found in pages)


def _organization_links(access: Access, page: str) -> tuple[Link, ...]:
    slug = access.organization.slug
    pages = (found for found in menu().organization if access.role in found.roles)
    return tuple(Link(found.label, _address(found.name, slug), found.name == page) for found in pages)


def _address(name: str, *slugs: str, query: str = "") -> str:
    """The address of a page. Raises NoReverseMatch for one that the menu names and the installation has not."""
    path = reverse(name, args=slugs)
    return f"{path}?{query}" if query else path
