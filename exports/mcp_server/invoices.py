"""The tool that tells what was billed: the payer's documents as the Billing page lists them, and one as it is on paper."""

from dataclasses import asdict
from typing import Annotated, Any

from django.conf import settings
from django.db.models import QuerySet
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult
from pydantic import Field

from accounts.access import find_seen
from accounts.periods import parse_month
from apikeys.models import AdminKey
from billing.invoices.documents import document_of, state_of
from billing.models import Invoice
from exports.mcp_server import words
from exports.mcp_server.calls import answer, in_words, opened

Month = Annotated[words.Text | None, Field(description="Only documents of this month, like 2026-10.")]
Number = Annotated[words.Text | None, Field(description="One document with all its lines, by its number.")]


def get_invoices(month: Month = None, number: Number = None) -> CallToolResult:
    """Invoices and credit notes of the organization in US dollars, the newest first; with `number`, one with its lines.

    total = subtotal − credits + tax; `due` is what is to be paid. A draft may still change. A child that its parent pays for
    has none of its own. Needs the scope `invoices`.
    """
    with opened(AdminKey.Scope.INVOICES) as caller:
        rows = Invoice.objects.filter(payer=caller.organization)
        if number is not None:
            return answer(_document(find_seen(rows, number=number)))
        if month is not None:
            rows = _of_month(rows, month)
        most = settings.MCP_MAX_ROWS
        found = list(rows.order_by("-month", "-id")[: most + 1])
        return answer({"currency": "usd", "invoices": [_row(one) for one in found[:most]], "cut": len(found) > most})


def _of_month(rows: "QuerySet[Invoice]", text: str) -> "QuerySet[Invoice]":
    month = parse_month(text)
    if month is None:
        raise ToolError(f"month {in_words([text])} is not a month like 2026-10.")
    return rows.filter(month=month.start)


def _row(invoice: Invoice) -> dict[str, Any]:
    return {
        "number": invoice.number,
        "kind": invoice.get_kind_display(),
        "state": state_of(invoice),
        "month": f"{invoice.month:%Y-%m}",
        "issue_date": None if invoice.issue_date is None else f"{invoice.issue_date}",
        "due_date": None if invoice.due_date is None else f"{invoice.due_date}",
        **{name: getattr(invoice, name) for name in ("subtotal", "credits", "tax", "total", "due")},
    }


def _document(invoice: Invoice) -> dict[str, Any]:
    """The document in numbers, and what is on it; of its lines MCP_MAX_ROWS at most."""
    paper, most = asdict(document_of(invoice)), settings.MCP_MAX_ROWS
    lines = [
        {"organization": section["organization"], **line}
        for section in paper.pop("sections")
        for line in section["lines"]
    ]
    return {"currency": "usd", **_row(invoice), "document": paper, "lines": lines[:most], "cut": len(lines) > most}
