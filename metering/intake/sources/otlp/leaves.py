"""Which of a request's spans count: leaves do, sums do not, and a call counts once however many have seen it.

An agent's span repeats the sum of its calls, and so does a framework's span around the provider's own. Two instrumentations of
the same client, or one beside a client that writes spans itself, stand side by side. Counting both doubles the bill. Spans of the
same call that come in two requests cannot be told apart; for them there is OTLP_IGNORED_SCOPES.
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from django.conf import settings

from metering.intake.sources.otlp.span import Span

NO_MODEL_REQUEST: Final = "no_model_request"
IGNORED_SCOPE: Final = "ignored_scope"
FAILED: Final = "failed"
COUNTED_INSIDE: Final = "counted_inside"
COUNTED_OUTSIDE: Final = "counted_outside"
COUNTED_BESIDE: Final = "counted_beside"
REASONS: Final = frozenset({NO_MODEL_REQUEST, IGNORED_SCOPE, FAILED, COUNTED_INSIDE, COUNTED_OUTSIDE, COUNTED_BESIDE})


def verdicts(spans: Sequence[Span]) -> list[str]:
    """For each span its usage type, or one of REASONS for which it does not count. A span with a fault has an empty one."""
    ignored_scopes = settings.OTLP_IGNORED_SCOPES
    found = [_by_itself(span, ignored_scopes) for span in spans]
    places = _counted(found)
    if len(places) > 1 and any(spans[place].parent for place in places):
        _leave_out_sums(spans, places, found)
        places = _counted(found)
    if len({spans[place].scope for place in places}) > 1:
        _leave_out_others(spans, places, found)
    return found


def _counted(verdicts: Sequence[str]) -> list[int]:
    return [place for place, verdict in enumerate(verdicts) if verdict and verdict not in REASONS]


def _by_itself(span: Span, ignored_scopes: Collection[str]) -> str:
    if span.fault is not None:
        return ""
    usage_type = span.words.usage_type
    if usage_type is None:
        return NO_MODEL_REQUEST
    if span.scope in ignored_scopes:
        return IGNORED_SCOPE
    return FAILED if span.has_failed and not span.counts else usage_type


def _leave_out_sums(spans: Sequence[Span], places: Sequence[int], found: list[str]) -> None:
    """A span that counts and has one below it that does is their sum.

    One that says nothing of tokens, below one that does, is the same request as seen by somebody who knows less.
    """
    parents = {span.node: span.parent for span in spans}
    telling = {spans[place].node for place in places if spans[place].counts}
    silent = {spans[place].node for place in places} - telling
    sums = _above(telling, parents)
    repeated = _below(telling - sums, silent, parents)
    sums |= _above(silent - repeated, parents) - telling
    for place in places:
        if spans[place].node in sums:
            found[place] = COUNTED_INSIDE
        elif spans[place].node in repeated:
            found[place] = COUNTED_OUTSIDE


def _leave_out_others(spans: Sequence[Span], places: Sequence[int], found: list[str]) -> None:
    """Of several scopes that have seen the same response, by its id, the one that says most counts."""
    seen: dict[str, dict[str, list[int]]] = {}
    for place in places:
        if response_id := spans[place].response_id:
            seen.setdefault(response_id, {}).setdefault(spans[place].scope, []).append(place)
    for by_scope in seen.values():
        *others, _ = sorted(by_scope, key=lambda scope: (max(_says(spans[place]) for place in by_scope[scope]), scope))
        for scope in others:
            for place in by_scope[scope]:
                found[place] = COUNTED_BESIDE


def _says(span: Span) -> tuple[int, int]:
    return len(span.counts), span.words.num_texts + bool(span.response_id)


def _above(nodes: AbstractSet[bytes], parents: Mapping[bytes, bytes]) -> set[bytes]:
    """All that are above one of the nodes. No way up is gone twice, so the time is that of one look at each span."""
    found: set[bytes] = set()
    for node in nodes:
        above = parents.get(node)
        while above and above not in found:
            found.add(above)
            above = parents.get(above)
    return found


def _below(tops: AbstractSet[bytes], nodes: AbstractSet[bytes], parents: Mapping[bytes, bytes]) -> set[bytes]:
    """Those of the nodes that are below one of `tops`."""
    known = dict.fromkeys(tops, True)
    for node in nodes:
        way: dict[bytes, None] = {}
        above: bytes | None = node
        while above and above not in known and above not in way:
            way[above] = None
            above = parents.get(above)
        known.update(dict.fromkeys(way, known.get(above or b"", False)))
    return {node for node in nodes if known[node]}
