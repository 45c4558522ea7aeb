"""The steps of the day, in their order, each with what must be true after it."""

import csv
import io
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from tests.operator_day.customers import Customers, Event, Size
from tests.operator_day.product import Answer, Product
from tests.operator_day.reckoning import Costs, Part, costs_of, invoice_of
from tests.operator_day.steps import NUM_SHOWN, DifferentError, require, step

EVENTS_A_BATCH, LINES_A_BATCH, SENDERS = 1_000, 10_000, 2
COUNTED_SECONDS, LOOK_AGAIN_SECONDS = 180, 0.5
OPERATOR: Final = {
    "name": "Olivia",
    "email": "olivia@operator.example",
    "password": "a long walk by the sea",
    "organization": "Northwind",
}
CSRF: Final = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
INGEST_TOKEN: Final = re.compile(r"it-[0-9A-Za-z]{40}")
Made = dict[str, dict[str, Any]]  # the answers to lines, by the operator's id
Thing = TypeVar("Thing")


def play(product: Product, size: Size) -> None:
    """The whole day. Raises DifferentError."""
    customers = Customers(size, datetime.now(tz=UTC))
    events = list(customers.events())
    costs = costs_of(customers, events)
    with step("first start"):
        ingest_token = first_start(product)
    with step("operator token"):
        operator_token = product.manage("create_operator_token", "CRM").strip()
    with step(f"{size.organizations:,} organizations, {size.users:,} users, {size.keys:,} keys"):
        made = provision(product, operator_token, customers, "created")
    with step("the same again changes nothing"):
        provision(product, operator_token, customers, "unchanged")
    with step(f"{len(events):,} events"):
        report(product, ingest_token, events, made)
    with step("costs by the admin API"):
        require_costs(product, customers, made, costs)
    with step("month closed"):
        close(product, customers)
    with step("invoices"):
        require_invoices(product, customers, made, costs)


def first_start(product: Product) -> str:
    """Sets the installation up as its first person does in the browser; the ingest token of the page that follows."""
    page = product.ask("GET", product.first_start)
    (code,) = re.findall(r"code=([^&]+)", product.first_start)
    (csrf,) = CSRF.findall(page.text)
    form = urlencode({**OPERATOR, "code": code, "csrfmiddlewaretoken": csrf}).encode()
    answer = product.ask("POST", "/first-start/", form, Content_Type="application/x-www-form-urlencoded")
    require("first start", answer.status, 302)
    shown = product.ask("GET", answer.headers["Location"])
    return INGEST_TOKEN.findall(shown.text)[0]  # type: ignore[no-any-return] # of one group of text


def provision(product: Product, token: str, customers: Customers, status: str) -> Made:
    """Sends all lines, and requires that each is answered with the status."""
    made: Made = {}
    for lines in _batches(customers.lines(), LINES_A_BATCH):
        answer = _post(product, "/v1/operator/batch", token, lines)
        answers = [json.loads(line) for line in answer.text.splitlines()]
        require("number of answers", len(answers), len(lines))
        wrong = [answer for answer in answers if answer["status"] != status]
        require("other answers", wrong[:NUM_SHOWN], [])
        made |= {answer["external_id"]: answer for answer in answers}
    return made


def report(product: Product, token: str, events: Iterable[Event], made: Made) -> None:
    """Sends all events, and requires that each is accepted."""

    def send(batch: list[Event]) -> None:
        answer = _post(product, "/v1/usage/events", token, [_body(event, made) for event in batch])
        counts = json.loads(answer.text)
        require("accepted events", counts["accepted"], len(batch))

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(send, _batches(events, EVENTS_A_BATCH)))


def require_costs(product: Product, customers: Customers, made: Made, costs: Costs) -> None:
    """Each organization's admin key reads what it and those for which it pays cost, exactly."""
    wanted = datetime.now(tz=UTC)
    end = time.monotonic() + COUNTED_SECONDS
    numbers = {made[f"cust-{number}"]["id"]: number for number in range(customers.size.organizations)}
    for number in range(customers.size.organizations):
        secret = made[f"admin_keys-{number}"]["secret"]
        while (found := _read_costs(product, secret, customers, numbers, wanted)) is None:
            if time.monotonic() > end:
                raise DifferentError(f"cust-{number}: not counted and priced after {COUNTED_SECONDS} s")
            time.sleep(LOOK_AGAIN_SECONDS)
        family = {number, *customers.family(number)}
        require(f"costs of cust-{number}", found, {part: cost for part, cost in costs.items() if part[0] in family})


def close(product: Product, customers: Customers) -> None:
    """Closes the month before, with no days of grace."""
    month = f"{customers.month_before:%Y-%m}"
    printed = product.manage("close_month", "--month", month, INVOICE_GRACE_DAYS="0")
    require("closing", printed.splitlines()[-1], f"{month} is final.")


def require_invoices(product: Product, customers: Customers, made: Made, costs: Costs) -> None:
    """Each payer has one invoice of the month before, over the sum that was reckoned, and a child has none."""
    totals: dict[str, Decimal] = {}
    for number in range(customers.size.organizations):
        found = _read_invoices(product, made[f"admin_keys-{number}"]["secret"], customers)
        total = invoice_of(customers, costs, number, customers.month_before)
        wanted = [total] if customers.payer(number) == number else []
        require(f"invoices of cust-{number}", list(found.values()), wanted)
        require("numbers of two invoices", totals.keys() & found.keys(), set())
        totals |= found
    print(f"{len(totals):,} invoices with numbers of their own, ${sum(totals.values()):,} together")


def _read_costs(
    product: Product, secret: str, customers: Customers, numbers: dict[str, int], wanted: datetime
) -> Costs | None:
    """What the key reads of both months; None while something is not counted, or has no price yet."""
    costs: Costs = defaultdict(Decimal)
    query: dict[str, object] = {
        "start_time": int(customers.month_before.timestamp()),
        "group_by": ["organization_id", "line_item"],
        "limit": 180,
    }
    has_more = True
    while has_more:
        answer = _get(product, f"/v1/organization/costs?{urlencode(query, doseq=True)}", secret)
        page = json.loads(answer.text)
        rows = [(bucket["start_time"], row) for bucket in page["data"] for row in bucket["results"]]
        if datetime.fromisoformat(answer.headers["x-complete-through"]) < wanted or any(
            row["x_unpriced"] for _, row in rows
        ):
            return None
        for start, row in rows:
            month = f"{datetime.fromtimestamp(start, tz=UTC):%Y-%m}"
            costs[Part(numbers[row["organization_id"]], month, row["line_item"])] += Decimal(row["amount"]["x_value"])
        has_more, query["page"] = page["has_more"], page["next_page"]
    return costs


def _read_invoices(product: Product, secret: str, customers: Customers) -> dict[str, Decimal]:
    """The sums of the documents of the month before, by number, out of the CSV of their lines."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    path = f"/v1/organization/focus?dataset=invoice-detail&month={customers.month_before:%Y-%m}"
    for row in csv.DictReader(io.StringIO(_get(product, path, secret).text)):
        sums[row["InvoiceId"]] += Decimal(row["BilledCost"])
    return sums


def _body(event: Event, made: Made) -> dict[str, object]:
    new, cached, output = event.tokens
    return {
        "id": event.id,
        "timestamp": event.at.isoformat(),
        "api_key_id": made[f"api_keys-{event.key}"]["id"],
        "usage_type": "completions",
        "model": event.model,
        "input_tokens": new + cached,
        "input_cached_tokens": cached,
        "output_tokens": output,
    }


def _post(product: Product, path: str, token: str, lines: Iterable[object]) -> Answer:
    body = "\n".join(map(json.dumps, lines)).encode()
    answer = product.ask("POST", path, body, Authorization=f"Bearer {token}", Content_Type="application/x-ndjson")
    require(f"{path}: {answer.text[:300]}", answer.status, 200)
    return answer


def _get(product: Product, path: str, secret: str) -> Answer:
    answer = product.ask("GET", path, Authorization=f"Bearer {secret}")
    require(f"{path}: {answer.text[:300]}", answer.status, 200)
    return answer


def _batches(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch
