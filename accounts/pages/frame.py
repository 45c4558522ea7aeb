"""The frame around every signed-in page: the list on the left, the organization switcher and the user menu."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from accounts.access import Access, memberships_of, organizations_of
from accounts.models import Organization, User


class SignedInRequest(HttpRequest):
    """A request behind `login_required`."""

    user: User


OWNERS = frozenset({"owner"})
ADMINS = OWNERS | {"admin"}
EVERYONE = ADMINS | {"reader"}


@dataclass(frozen=True)
class Link:
    """One entry of the frame."""

    label: str
    address: str
    current: bool = False


@dataclass(frozen=True)
class Frame:
    """What `base.html` draws. `organization` is the one whose settings are open, or the user's default."""

    user: User
    organization: Organization | None
    organization_links: tuple[Link, ...]
    user_links: tuple[Link, ...]
    switcher: tuple[Link, ...]


# label, name of the page's address, and the roles that reach it
ORGANIZATION_PAGES = (
    ("General", "accounts:organization", EVERYONE),
    ("Members", "accounts:members", ADMINS),
    ("Usage", "metering:activity", EVERYONE),
    ("Billing", "billing:billing", ADMINS),
    ("Key coverage", "metering:coverage", ADMINS),
    ("Audit log", "accounts:audit", OWNERS),
)
USER_PAGES = (
    ("Profile", "accounts:profile"),
    ("API keys", "apikeys:keys"),
    ("Organizations", "accounts:organizations"),
    ("Security", "accounts:security"),
)
# label, name of the page's address, and the right that opens it
STAFF_PAGES = (
    ("Prices (staff)", "billing:prices", "billing.view_price"),
    ("Credit (staff)", "billing:credit", "billing.view_creditgrant"),
    ("Invoices (staff)", "billing:all_invoices", "billing.view_invoice"),
)
USAGE_PAGE = "metering:activity"


def organization_frame(access: Access, *, page: str, switch_to: str = USAGE_PAGE, query: str = "") -> Frame:
    """The frame of a page of organization settings. The switcher leads to `switch_to` of the other organization."""
    return _frame(access.user, access.organization, page, _pages(access), _switcher(access.user, switch_to, query))


def user_frame(user: User, *, page: str) -> Frame:
    """The frame of a page of user settings, beside the organization that is the user's default."""
    memberships = memberships_of(user)
    switcher = {found.organization: _address(USAGE_PAGE, found.organization.slug) for found in memberships}
    default = next((found for found in memberships if found.organization_id == user.default_organization_id), None)
    if default is None:
        return _frame(user, None, page, (), switcher)
    access = Access(user, default.organization, default.role)
    return _frame(user, access.organization, page, _pages(access), switcher)


def _pages(access: Access) -> tuple[tuple[str, str], ...]:
    return tuple((label, name) for label, name, roles in ORGANIZATION_PAGES if access.role in roles)


def _switcher(user: User, switch_to: str, query: str) -> dict[Organization, str]:
    return {found: _address(switch_to, found.slug, query=query) for found in organizations_of(user)}


def _frame(
    user: User,
    organization: Organization | None,
    page: str,
    pages: tuple[tuple[str, str], ...],
    switcher: dict[Organization, str],
) -> Frame:
    slugs = [organization.slug] if organization is not None else []
    return Frame(
        user=user,
        organization=organization,
        organization_links=_existing(
            Link(label, _address(name, slug), name == page) for label, name in pages for slug in slugs
        ),
        user_links=_existing(
            Link(label, _address(name), name == page) for label, name in (*USER_PAGES, *_staff_pages(user))
        ),
        switcher=_existing(Link(found.name, address, found == organization) for found, address in switcher.items()),
    )


def _staff_pages(user: User) -> tuple[tuple[str, str], ...]:
    return tuple((label, name) for label, name, right in STAFF_PAGES if user.is_staff and user.has_perm(right))


def _address(name: str, *slugs: str, query: str = "") -> str:
    """The address of a page, or nothing while the installation has no such page."""
    try:
        path = reverse(name, args=slugs)
    except NoReverseMatch:
        return ""
    return f"{path}?{query}" if query else path


def _existing(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(link for link in links if link.address)
