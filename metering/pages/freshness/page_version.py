"""How fresh a page is and which version of the data it shows, both read before its numbers are."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Model

from metering.models import OrganizationDailyUsage
from metering.rollups.run import IS_WAITING
from metering.usage.queries import fetch

# Rows that a writer touched carry the id of its transaction: their sum changes with every roll-up, rebuild and new price.
# Each is an indexed look at the month shown and the one before it, a few rows a day, or at the names of the members.
WRITTEN: Final = (
    "SELECT concat_ws(':', count(*), sum({table}.xmin::text::bigint){passed}) FROM {table}, span WHERE {conditions}"
)
# What begins or ends by the clock changes without being touched.
MOMENTS: Final = ("effective_at", "expires_at")
PASSED: Final = ", count(*) FILTER (WHERE {moment} <= statement_timestamp())"
OF_ORGANIZATIONS: Final = "{organization} = ANY(%(ids)s)"
IN_MONTHS: Final = " AND day >= month - interval '1 month' AND day < month + interval '1 month'"
Shown = tuple[type[Model], str] | str
"""A model whose rows a page shows, and its column of the organization; of a model of days, those of the two months. Or SQL of
one value that changes with what is shown, about the organizations `%(ids)s` and the `month` of `span`."""
USAGE: Final[Shown] = (OrganizationDailyUsage, "organization_id")
EVER_VERSION: Final = "SELECT EXISTS (SELECT FROM metering_organizationdailyusage WHERE organization_id = ANY(%(ids)s))"
ORGANIZATIONS_VERSION: Final = (
    "SELECT sum(hashtext(concat(id, name))::bigint) FROM accounts_organization WHERE id = ANY(%(ids)s)"
)
NAMES_VERSION: Final = """
    SELECT concat(count(*), ':', sum(hashtext(
        concat(member.id, member.name, member.email, key.id, key.name, key.redacted)
    )::bigint))
    FROM accounts_membership membership
    JOIN accounts_user member ON member.id = membership.user_id
    LEFT JOIN apikeys_apikey key ON key.user_id = member.id
    WHERE membership.organization_id = ANY(%(ids)s)
"""
DECLARED_VERSION: Final = """
    SELECT sum(hashtext(concat(kind, id, name, is_in_use))::bigint) FROM (
        SELECT 'project', id, name, archived_at IS NULL FROM accounts_project WHERE organization_id = ANY(%(ids)s)
        UNION ALL
        SELECT 'attribute', id, title, withdrawn_at IS NULL FROM accounts_attribute WHERE organization_id = ANY(%(ids)s)
    ) AS declared (kind, id, name, is_in_use)
"""
HASHED_FOLDERS: Final = (
    "accounts",
    "apikeys",
    "billing",
    "metering",
    "exports",
    "usage_dashboard",
    "templates",
    "static",
)


@dataclass(frozen=True)
class PageState:
    """`complete_through`: every event that was acknowledged before it is in what is read from now on."""

    now: datetime
    complete_through: datetime
    version: str


def read_page_state(organization_ids: Sequence[int], month: date | None, also_shown: Sequence[Shown] = ()) -> PageState:
    """The state of these organizations' pages of a month; of the current one without a month, or for one that has not begun.

    They show usage and names, and more.
    """
    written = map(_version, (USAGE, *also_shown))
    versions = (*written, EVER_VERSION, ORGANIZATIONS_VERSION, NAMES_VERSION, DECLARED_VERSION)
    sql = f"""
        WITH span AS MATERIALIZED (
            SELECT least(%(month)s::date, date_trunc('month', statement_timestamp() AT TIME ZONE 'UTC')::date) AS month
        )
        SELECT statement_timestamp(),
            (SELECT coalesce(min(received_at), statement_timestamp()) FROM metering_ingestbatch WHERE {IS_WAITING}),
            concat_ws(' ', {", ".join(f"({version})" for version in versions)})
    """
    ((now, complete_through, version),) = fetch(sql, {"ids": list(organization_ids), "month": month})
    return PageState(now, complete_through, version)


def _version(shown: Shown) -> str:
    """SQL of what changes when a writer touches one of the rows shown, and when the moment of one has come."""
    if isinstance(shown, str):
        return shown
    model, organization = shown
    table = model._meta  # noqa: SLF001 - what Django documents for this
    conditions = OF_ORGANIZATIONS.format(organization=organization)
    columns = {field.column for field in table.concrete_fields}
    passed = "".join(PASSED.format(moment=moment) for moment in MOMENTS if moment in columns)
    return WRITTEN.format(
        table=table.db_table, conditions=conditions + (IN_MONTHS if "day" in columns else ""), passed=passed
    )


def _release() -> str:
    """A digest of the code that makes pages: a new release shows its pages at once."""
    digest = hashlib.blake2b(digest_size=8)
    for folder in HASHED_FOLDERS:
        for path in sorted(Path(settings.BASE_DIR, folder).rglob("*")):
            if path.suffix in {".py", ".html", ".css", ".js"}:
                digest.update(path.read_bytes())
    return digest.hexdigest()


RELEASE: Final = _release()


def entity_tag(*parts: object) -> str:
    """The ETag of a page that is made of these parts by this release, under the installation's name."""
    text = "\n".join(map(repr, (RELEASE, settings.BRAND.version, *parts)))
    return f'"{hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()}"'
