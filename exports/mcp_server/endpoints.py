"""What the tools for usage and costs tell apart: as OpenAI's admin API, without what is not known here; costs by model too."""

from dataclasses import replace
from typing import Final

from exports.openai_api.endpoints import COSTS as VENDORS_COSTS
from exports.openai_api.endpoints import KNOWN_GROUPS, LINE_ITEM, USAGE, Endpoint
from exports.openai_api.parameters import OUR_GROUP


def _of_known_groups(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, groups=tuple(name for name in endpoint.groups if name in KNOWN_GROUPS))


USAGE_BY_WORD: Final = {endpoint.name: _of_known_groups(endpoint) for endpoint in USAGE}
COSTS: Final = replace(
    VENDORS_COSTS,
    groups=("project_id", "user_id", "api_key_id", "model", LINE_ITEM),
    filters=("project_ids", "user_ids", "api_key_ids", "models"),
)
USAGE_GROUPS: Final = tuple(
    dict.fromkeys(name for endpoint in USAGE_BY_WORD.values() for name in (*endpoint.groups, OUR_GROUP))
)
COST_GROUPS: Final = (*COSTS.groups, OUR_GROUP)
