"""Leaves count and sums do not, whichever way the spans of a trace come in one request."""

import random
from datetime import UTC, datetime
from functools import partial
from itertools import permutations
from typing import Final

import pytest

from apikeys.models import APIKey
from metering.ingestion_models import Kind
from metering.intake.sources.otlp.leaves import COUNTED_BESIDE, COUNTED_INSIDE, COUNTED_OUTSIDE, verdicts
from metering.intake.sources.otlp.protobuf import spans as read
from metering.intake.sources.otlp.span import Owner
from tests.metering.intake.sources.otlp.requests import Span, accept, chat, counted, in_protobuf, stored

SILENT: Final = chat(gen_ai__usage__input_tokens=None, gen_ai__usage__output_tokens=None)
TOOL: Final = chat(gen_ai__operation__name="execute_tool")
span = partial(Span, at=datetime(2026, 1, 1, tzinfo=UTC))


def verdicts_of(*spans: Span) -> dict[int, str]:
    """Span's id → what becomes of it; the same in every order of the spans."""
    orders = list(permutations(spans)) if len(spans) < 6 else [random.sample(spans, len(spans)) for _ in range(50)]
    found = []
    for order in orders:
        verdict = verdicts(read(in_protobuf(*order), Owner()))
        found.append({span.id: one for span, one in zip(order, verdict, strict=True)})
    assert all(one == found[0] for one in found)
    return found[0]


def test_an_agent_with_the_sum_of_its_calls_counts_once(token: str, key: APIKey) -> None:
    """As the Vercel AI SDK 7 writes them: the sum on `invoke_agent`, the parts on `chat`."""
    headers = {"X-Usage-Api-Key-Id": key.public_id}
    agent = chat(gen_ai__operation__name="invoke_agent", gen_ai__usage__input_tokens=30)
    parts = [Span(2 + n, 1, chat(gen_ai__usage__input_tokens=10 + n)) for n in range(2)]
    accept(token, *parts, Span(1, 0, agent), **headers)
    assert stored("input_tokens") == [(10,), (11,)]
    assert counted(Kind.IGNORED) == {"no_model_request": 1}


def test_a_framework_around_a_providers_client_counts_once(token: str, key: APIKey) -> None:
    """Two instrumentations see the same call; what is between them does not matter, nor that they are different resources."""
    accept(
        token,
        Span(3, 2, scope="openai", resource={"service.name": "inner"}),
        Span(2, 1, TOOL),
        Span(1, 0, scope="langchain", resource={"service.name": "outer"}),
        **{"X-Usage-Api-Key-Id": key.public_id},
    )
    assert stored("input_tokens") == [(100,)]
    assert counted(Kind.IGNORED) == {"no_model_request": 1, COUNTED_INSIDE: 1}


def test_of_a_chain_of_three_the_innermost_counts() -> None:
    assert verdicts_of(span(1), span(2, 1), span(3, 2)) == {1: COUNTED_INSIDE, 2: COUNTED_INSIDE, 3: "completions"}


def test_spans_side_by_side_all_count() -> None:
    assert set(verdicts_of(span(1, 9), span(2, 9), span(3, 9)).values()) == {"completions"}


def test_a_span_whose_parent_came_in_another_request_counts() -> None:
    assert verdicts_of(span(5, 4), span(6, 4)) == {5: "completions", 6: "completions"}


def test_one_that_says_nothing_of_tokens_does_not_displace_one_that_does() -> None:
    """A stream's span may have no tokens where the framework around it counted them."""
    assert verdicts_of(span(1), span(2, 1, SILENT)) == {1: "completions", 2: COUNTED_OUTSIDE}


def test_beside_one_that_tells_a_silent_one_is_a_request_of_its_own() -> None:
    spans = (span(1), span(2, 1, SILENT), span(3, 1))
    assert verdicts_of(*spans) == {1: COUNTED_INSIDE, 2: "completions", 3: "completions"}


def test_of_two_that_are_silent_the_inner_one_counts() -> None:
    assert verdicts_of(span(1, 0, SILENT), span(2, 1, SILENT)) == {1: COUNTED_INSIDE, 2: "completions"}


def test_a_failed_attempt_inside_displaces_nobody() -> None:
    assert verdicts_of(span(1), span(2, 1, SILENT, failed=True)) == {1: "completions", 2: "failed"}


def test_a_response_that_two_have_seen_side_by_side_counts_once() -> None:
    """Anthropic's client writes a span by itself, and an instrumentation of it another one beside, in a trace or without."""
    seen, better = (
        chat(gen_ai__response__id="msg_1"),
        chat(gen_ai__response__id="msg_1", gen_ai__usage__total_tokens=120),
    )
    other = chat(gen_ai__response__id="msg_2")
    found = verdicts_of(
        span(1, 9, seen, scope="client"), span(2, 9, better, scope="instrumentation"), span(3, 9, other, scope="client")
    )
    assert found == {1: COUNTED_BESIDE, 2: "completions", 3: "completions"}


def test_of_two_that_say_the_same_of_a_response_the_same_one_counts_in_every_order() -> None:
    seen = chat(gen_ai__response__id="msg_1")
    assert verdicts_of(span(1, 0, seen, scope="b"), span(2, 0, seen, scope="a")) == {
        1: "completions",
        2: COUNTED_BESIDE,
    }


def test_one_instrumentation_that_sees_an_id_twice_has_seen_two_calls() -> None:
    seen = chat(gen_ai__response__id="fixed")
    assert set(verdicts_of(span(1, 0, seen), span(2, 0, seen), span(3, 0, scope="other")).values()) == {"completions"}


def test_spans_that_are_above_each_other_end() -> None:
    """No sender makes a circle on purpose; then nothing is known to be a leaf."""
    assert set(verdicts_of(span(1, 2), span(2, 1), span(3, 3, SILENT))) == {1, 2, 3}


@pytest.mark.parametrize("attributes", [chat(), SILENT], ids=["with tokens", "silent"])
def test_a_chain_of_thousands_takes_the_time_of_one_look_at_each(attributes: dict[str, object]) -> None:
    chain = [span(number, number - 1, attributes) for number in range(1, 5_001)]
    found = verdicts(read(in_protobuf(*random.sample(chain, len(chain))), Owner()))
    assert (found.count(COUNTED_INSIDE), found.count("completions")) == (4_999, 1)
