"""The tools that tell what was used and what it cost: made from the one query, as pages, exports and admin APIs are."""

from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult

from apikeys.models import AdminKey
from exports.mcp_server import words
from exports.mcp_server.calls import answer, in_words, opened
from exports.mcp_server.endpoints import COSTS, USAGE_BY_WORD
from exports.mcp_server.questions import Question, body_of
from exports.openai_api.results import cost_results, usage_results


def get_usage(  # noqa: PLR0913 - one for each thing that can be asked
    *,
    start_date: words.FirstDay,
    end_date: words.LastDay = None,
    usage_type: words.UsageType = "completions",
    bucket_width: words.UsageWidth = "total",
    group_by: words.UsageGroups = (),
    project_ids: words.Projects = (),
    user_ids: words.Users = (),
    api_key_ids: words.Keys = (),
    models: words.Models = (),
    organization_ids: words.Organizations = (),
) -> CallToolResult:
    """What was used: requests, and tokens or other units, over a range of days, as sums.

    `totals` are exact sums over the whole range, also when rows are cut: use them and do not add rows up. Numbers that are 0
    are left out. Needs the scope `usage`; with the scope `members` too, ids come with names.
    """
    with opened(AdminKey.Scope.USAGE) as caller:
        endpoint = USAGE_BY_WORD.get(usage_type)
        if endpoint is None:
            raise ToolError(f"Unknown usage_type {in_words([usage_type])}: one of {', '.join(USAGE_BY_WORD)}.")
        filters = {
            "project_ids": project_ids,
            "user_ids": user_ids,
            "api_key_ids": api_key_ids,
            "models": models,
            "organization_ids": organization_ids,
        }
        question = Question(endpoint, start_date, end_date, bucket_width, group_by, filters)
        return answer({"usage_type": usage_type, **body_of(caller, question, usage_results)})


def get_costs(  # noqa: PLR0913 - one for each thing that can be asked
    *,
    start_date: words.FirstDay,
    end_date: words.LastDay = None,
    bucket_width: words.CostWidth = "total",
    group_by: words.CostGroups = (),
    project_ids: words.Projects = (),
    user_ids: words.Users = (),
    api_key_ids: words.Keys = (),
    models: words.Models = (),
    organization_ids: words.Organizations = (),
) -> CallToolResult:
    """What usage cost in US dollars over a range of days: usage at the prices of its days, before credit and tax.

    What is billed is told by get_invoices. `totals` are exact sums over the whole range, also when rows are cut: use them and
    do not add rows up. `unpriced`: some of it has no price and is in no amount. A `line_item` is a model and what is charged
    for it, like “gpt-4o, cached input”. Needs the scope `costs`; with the scope `members` too, ids come with names.
    """
    with opened(AdminKey.Scope.COSTS) as caller:
        filters = {
            "project_ids": project_ids,
            "user_ids": user_ids,
            "api_key_ids": api_key_ids,
            "models": models,
            "organization_ids": organization_ids,
        }
        question = Question(COSTS, start_date, end_date, bucket_width, group_by, filters)
        return answer({"currency": "usd", **body_of(caller, question, cost_results)})
