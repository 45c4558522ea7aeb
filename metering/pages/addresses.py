"""Addresses of views: the whole state of a page in one query string."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

PAGES = ("page", "grant")
"""What asks for a page of a list: another view begins with the first one."""
Parameters = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Address:
    """A path and the parameters that were understood; changes make a new address."""

    path: str
    parameters: Parameters = ()

    def __str__(self) -> str:
        return f"{self.path}?{urlencode(self.parameters)}" if self.parameters else self.path

    def at(self, path: str) -> "Address":
        return replace(self, path=path)

    def setting(self, name: str, value: str, *, instead_of: tuple[str, ...] = ("",)) -> "Address":
        """With `name` set to `value` alone, on the first page of its lists; an empty value removes it.

        Only values that begin with one of `instead_of` make room for it.
        """
        kept = tuple(
            pair
            for pair in self.parameters
            if pair[0] not in PAGES and not (pair[0] == name and pair[1].startswith(instead_of))
        )
        return replace(self, parameters=(*kept, (name, value)) if value else kept)

    def dropping(self, name: str, value: str) -> "Address":
        """Without this one value of `name`, on the first page of its lists."""
        kept = tuple(pair for pair in self.parameters if pair != (name, value) and pair[0] not in PAGES)
        return replace(self, parameters=kept)

    def without(self, *names: str) -> "Address":
        return replace(self, parameters=tuple(pair for pair in self.parameters if pair[0] not in names))

    @property
    def view_query(self) -> str:
        """The query string without filters: what can be kept when another organization is opened."""
        kept = ("month", "day", "hour", "group", "rank", "chart", "tokens")
        return urlencode(tuple(pair for pair in self.parameters if pair[0] in kept))
