"""What holds for every list of the admin site, also those that packages bring.

A list is filtered by what it offers and by nothing else: any other lookup would read a password hash or a digest letter by
letter. No secret column is shown, and a value that no column holds is a filter that fits nothing.
"""

from collections.abc import Iterator
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import DataError, transaction
from django.http import HttpRequest

SECRET_FIELDS: Final = frozenset(
    {
        "password",
        "digest",
        "previous_digest",
        "secret",
        "encrypted_secret",
        "key",
        "token",
        "token_secret",
        "session_key",
        "session_data",
        "data",
        "extra_data",
    }
)
OFFERED_LOOKUPS: Final = ("exact", "isnull", "isempty", "gte", "lt", "year", "month", "day")
"""What Django's filters and date hierarchies put behind the name of a field."""


class GuardedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Mixed into every list of the site. `linked_from` names the lookups of links from elsewhere in it."""

    linked_from: tuple[str, ...] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:  # noqa: ARG002 - the hook's signature
        return lookup in set(self._offered(request)) | set(self.linked_from)

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        excluded = super().get_exclude(request, obj) or ()
        return [*excluded, *(field.name for field in self.opts.fields if field.name in SECRET_FIELDS)]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """People have no user names here; packages that search for those mean what one signs in with."""
        return [name.replace("user__username", "user__email") for name in super().get_search_fields(request)]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Raises IncorrectLookupParameters, which Django answers with the unfiltered list, for values out of all ranges."""
        try:
            with transaction.atomic():
                return super().get_changelist_instance(request)
        except (OverflowError, ValueError, DataError) as error:
            raise IncorrectLookupParameters from error

    def _offered(self, request: HttpRequest | None) -> Iterator[str]:
        filters = self.get_list_filter(request) if request is not None else self.list_filter
        for item in (*filters, *([self.date_hierarchy] if self.date_hierarchy else [])):
            name = item[0] if isinstance(item, tuple | list) else getattr(item, "parameter_name", item)
            yield str(name)
            yield from (f"{name}__{lookup}" for lookup in OFFERED_LOOKUPS)
