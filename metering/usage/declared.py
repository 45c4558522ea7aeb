"""What the organizations of a page say that usage may be for: their projects, and the attributes that they have declared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from accounts.models import Organization
from metering.usage.groupings import Grouping, attribute_grouping
from metering.usage.queries import fetch

DECLARED_SQL: Final = """
    SELECT 'attribute', id, organization_id, name, title, withdrawn_at IS NULL, declared_at FROM accounts_attribute
    WHERE organization_id = ANY(%(ids)s)
    UNION ALL
    SELECT 'default', id, organization_id, '', '', true, NULL FROM accounts_project
    WHERE organization_id = ANY(%(ids)s) AND is_default
    UNION ALL
    SELECT 'projects', 0, 0, '', '', EXISTS (
        SELECT FROM accounts_project WHERE organization_id = ANY(%(ids)s) AND NOT is_default
    ), NULL
"""


@dataclass(frozen=True)
class Declared:
    """`attributes`: a grouping for each name; `default_projects`: their ids; `has_projects`: there are others than these."""

    attributes: tuple[Grouping, ...] = ()
    default_projects: tuple[int, ...] = ()
    has_projects: bool = False

    def attribute(self, name: str) -> Grouping | None:
        return next((found for found in self.attributes if found.attribute == name), None)


def declared_in(organizations: Sequence[Organization]) -> Declared:
    """One query. Attributes of one name are one, with the title that the first of the organizations gave it.

    A name that is withdrawn everywhere is not offered; where one organization has it still, the past of the others belongs to it.
    """
    order = {organization.id: place for place, organization in enumerate(organizations)}
    rows = fetch(DECLARED_SQL, {"ids": list(order)})
    attributes = sorted(
        (order[organization], declared_at, found, name, title, is_declared)
        for kind, found, organization, name, title, is_declared, declared_at in rows
        if kind == "attribute"
    )
    titles: dict[str, str] = {}
    ids: dict[str, list[int]] = {}
    for _, _, found, name, title, is_declared in attributes:
        ids.setdefault(name, []).append(found)
        if is_declared:
            titles.setdefault(name, title)
    return Declared(
        attributes=tuple(attribute_grouping(name, title, ids[name]) for name, title in titles.items()),
        default_projects=tuple(found for kind, found, *_ in rows if kind == "default"),
        has_projects=any(there_are for kind, _, _, _, _, there_are, _ in rows if kind == "projects"),
    )
