"""What was used, as `GET /v1/organizations/analytics/usage` answers it; and the token counts of the older report."""

from collections.abc import Sequence
from typing import Any, Final

from exports.admin_api.sums import Row, shortest
from exports.anthropic_api import ranking
from exports.anthropic_api.ranking import Place, Ranked
from exports.anthropic_api.requests import GROUPS, Asked
from exports.anthropic_api.shown import Shown
from metering.measures import UsageType
from metering.usage.queries import UsageQuery, fetch

TOKENS: Final = {
    "uncached_input_tokens": "usage.input_tokens - usage.input_cached_tokens - usage.input_cache_write_tokens",
    "short_cache_writes": "usage.input_cache_write_tokens - usage.input_cache_write_long_tokens",
    "long_cache_writes": "usage.input_cache_write_long_tokens",
    "cache_read_input_tokens": "usage.input_cached_tokens",
    "output_tokens": "usage.output_tokens",
    "web_searches": (
        f"CASE WHEN sku.usage_type = {UsageType.WEB_SEARCH_CALLS.value} THEN usage.num_model_requests ELSE 0 END"
    ),
}
"""What an answer says of tokens, each counted once, and of searches: name → the expression of a usage row."""
FIGURES: Final = {
    **TOKENS,
    "total_tokens": "usage.input_tokens + usage.output_tokens",
    "requests": "usage.num_model_requests",
}


def read(query: UsageQuery, asked: Asked, place: Place) -> list[Row]:
    """As `ranking.Read`: what was used, by `FIGURES`. A row that is nothing is left out."""
    rows = ranking.rows_of(query, asked)
    keys = ranking.keys_of(asked, rows)
    condition, parameters = ranking.after(keys, place)
    sums = [f"coalesce(sum({expression}), 0)" for expression in FIGURES.values()]
    figures = ", ".join(f"{one} AS {name}" for name, one in zip(FIGURES, sums, strict=True))
    some = " OR ".join(f"{one} <> 0" for one in sums)
    places = ", ".join(str(place) for place, _ in enumerate(rows.columns, start=1))
    return fetch(
        f"""
        WITH found AS (SELECT {rows.selected}, {figures} {rows.bars.from_where} GROUP BY {places} HAVING {some})
        SELECT {ranking.through(query)}, {", ".join(keys)}, {rows.names}, {", ".join(FIGURES)}
        FROM found WHERE {condition} ORDER BY {", ".join(keys)} LIMIT %(most)s
        """,
        {**query.parameters(), **parameters, "most": asked.limit + 1},
    )


def show(row: Ranked, asked: Asked, names: Shown) -> list[dict[str, Any]]:  # noqa: ARG001 - as `ranking.Show`
    (figures,) = row.figures
    *tokens, total, requests = map(shortest, figures)
    usage = {**tokens_of(tokens), "total_tokens": total, "requests": requests}
    return [{"group": names.fields(GROUPS, row.parts), "usage": usage}]


def tokens_of(figures: Sequence[Any]) -> dict[str, Any]:
    """The figures of `TOKENS`, in the vendor's shape."""
    found = dict(zip(TOKENS, figures, strict=True))
    return {
        "uncached_input_tokens": found["uncached_input_tokens"],
        "cache_creation": {
            "ephemeral_5m_input_tokens": found["short_cache_writes"],
            "ephemeral_1h_input_tokens": found["long_cache_writes"],
        },
        "cache_read_input_tokens": found["cache_read_input_tokens"],
        "output_tokens": found["output_tokens"],
        "server_tool_use": {"web_search_requests": found["web_searches"]},
    }
