"""Counts as a source reports them → our disjoint measures.

Sources differ in two things that cost money when they are guessed wrongly: whether the cache's tokens are inside the input or
beside it, and whether reasoning is inside the output. What is known of a source is its `Counting`; where the counts themselves
say otherwise, they win, and the change is named in the answer, so that whoever calls can count it by source and rule.

    found = normalise(Reported(input_tokens=120, output_tokens=30, cache_read_tokens=1000), CACHE_BESIDE)
    found.measures  {"input_tokens": 1120, "input_cached_tokens": 1000, "output_tokens": 30}
    found.changes   ()

Counts of unknown make (JSON objects, attributes of spans) go through `reported`, which refuses what is no count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from metering.intake.formats.events import Count, Refusal
from metering.measures import MAX_MEASURE

TOTAL_SAYS_CACHE_BESIDE: Final = "total_says_cache_beside"
TOTAL_SAYS_MORE_OUTPUT: Final = "total_says_more_output"
TOTAL_SAYS_MORE_INPUT: Final = "total_says_more_input"
CACHE_EXCEEDS_INPUT: Final = "cache_exceeds_input"
REASONING_EXCEEDS_OUTPUT: Final = "reasoning_exceeds_output"
CACHED_MEDIA_TAKEN_OFF: Final = "cached_media_taken_off"
MEDIA_CUT: Final = "media_cut"
OUTPUT_PARTS_CUT: Final = "output_parts_cut"
LIFETIMES_EXCEED_CACHE_WRITE: Final = "lifetimes_exceed_cache_write"


class NotACountError(ValueError):
    """A source's count that is negative, fractional, textual or too large: the item that has it is refused with `refusal`."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.refusal = Refusal("invalid_measure", f"A count of tokens cannot be read: {problem}.")


class Reported(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a source says of one request, in its own way of counting. 0: it says nothing of it, or none.

    Audio, image and video are all input of their kind, with what of it was read from the cache; that is given beside, or None
    where it is not known. `cache_write_long_tokens` are those of the cache writes that live an hour or longer.
    `total_tokens` is None where the source gives no total.
    """

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_tokens: Count = 0
    cache_write_tokens: Count = 0
    cache_write_long_tokens: Count = 0
    audio_tokens: Count = 0
    cached_audio_tokens: Count | None = None
    image_tokens: Count = 0
    cached_image_tokens: Count | None = None
    video_tokens: Count = 0
    cached_video_tokens: Count | None = None
    output_audio_tokens: Count = 0
    output_image_tokens: Count = 0
    reasoning_tokens: Count = 0
    total_tokens: Count | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    """How a source counts, as far as its documentation or source says: what stands beside the wholes instead of inside.

    `rest_is_input`: what its total has beyond both wholes is input, unless that is as much as it reasoned.
    """

    cache_beside_input: bool = False
    reasoning_beside_output: bool = False
    rest_is_input: bool = False


INCLUSIVE: Final = Counting()
CACHE_BESIDE: Final = Counting(cache_beside_input=True)
REASONING_BESIDE: Final = Counting(reasoning_beside_output=True)
REST_IS_INPUT: Final = Counting(rest_is_input=True)


class Normalised(msgspec.Struct, frozen=True, gc=False):
    """Our token measures (those that are not 0), and the names of the rules that changed what the source's rule gave."""

    measures: dict[str, int]
    changes: tuple[str, ...] = ()


def reported(counts: Mapping[str, Any], *, texts: bool = False) -> Reported:
    """The counts as fields of Reported; None is the same as absent. Raises NotACountError.

    `texts` lets whole numbers come as decimal texts ("12"), as some formats write integers of 64 bits.
    """
    try:
        return msgspec.convert(
            {name: count for name, count in counts.items() if count is not None}, Reported, strict=not texts
        )
    except msgspec.ValidationError as error:
        raise NotACountError(str(error).replace("$.", "")) from error


def plain_measures(whole: Any, cached: Any, output: Any, reasoning: Any, total: Any) -> dict[str, int] | None:
    """What `normalise` makes of counts that say no more than this, of a source which has the cache inside its input and reasoning
    inside its output, and that add up: most calls by far, in a fifth of the time. `total` may be None.

    None for all others, which go the long way; the values may be of any kind.
    """
    if not (
        type(whole) is type(cached) is type(output) is type(reasoning) is int  # a truth is an int, too, and no count
        and 0 <= cached <= whole <= MAX_MEASURE
        and 0 <= reasoning <= output <= MAX_MEASURE
        and whole
        and output
        and (total is None or (type(total) is int and total == whole + output <= MAX_MEASURE))
    ):
        return None
    measures = {"input_tokens": whole, "output_tokens": output}
    if cached:
        measures["input_cached_tokens"] = cached
    if reasoning:
        measures["output_reasoning_tokens"] = reasoning
    return measures


def normalise(source: Reported, counting: Counting = INCLUSIVE) -> Normalised:
    """Our measures of what the source reports. The parts never exceed their whole, and each token is in one part at most.

    In this order: the source's own rule; parts that are larger than their whole stood beside it; a total that is the sum with
    the cache says that the cache stood beside; a larger total says that output was left out, which is reasoning, or input where
    the source is known for that. A total that is too small is no reason to count less.
    """
    changes: list[str] = []
    read, write = source.cache_read_tokens, source.cache_write_tokens
    if source.cache_write_long_tokens > write:
        write = source.cache_write_long_tokens
        changes.append(LIFETIMES_EXCEED_CACHE_WRITE)
    whole_input, whole_output = _wholes(source, counting, read + write, changes)
    measures = {"input_tokens": whole_input, "input_cached_tokens": read, "output_tokens": whole_output}
    if write:
        measures["input_cache_write_tokens"] = write
        measures["input_cache_write_long_tokens"] = source.cache_write_long_tokens
    if source.audio_tokens or source.image_tokens or source.video_tokens:
        measures.update(_uncached_media(source, whole_input - read - write, changes))
    if source.output_audio_tokens or source.output_image_tokens or source.reasoning_tokens:
        measures.update(_output_parts(source, whole_output, changes))
    if not (whole_input and read and whole_output and len(measures) == 3):
        measures = {name: count for name, count in measures.items() if count}
    return Normalised(measures, tuple(changes))


def _wholes(source: Reported, counting: Counting, cached: int, changes: list[str]) -> tuple[int, int]:
    """(All input, all output)."""
    whole_input, whole_output = source.input_tokens, source.output_tokens
    total, reasoning = source.total_tokens, source.reasoning_tokens
    if counting.cache_beside_input:
        whole_input += cached
    if counting.reasoning_beside_output:
        whole_output += reasoning
    if cached > whole_input:
        whole_input += cached
        changes.append(CACHE_EXCEEDS_INPUT)
    if reasoning > whole_output and (total is None or total < whole_input + whole_output):
        whole_output += reasoning
        changes.append(REASONING_EXCEEDS_OUTPUT)
    if total is not None and total > whole_input + whole_output:
        if counting.rest_is_input and total - whole_input - whole_output != reasoning:
            whole_input = total - whole_output
            changes.append(TOTAL_SAYS_MORE_INPUT)
        elif total == whole_input + cached + whole_output:
            whole_input += cached
            changes.append(TOTAL_SAYS_CACHE_BESIDE)
        else:
            whole_output = total - whole_input
            changes.append(TOTAL_SAYS_MORE_OUTPUT)
    return whole_input, whole_output


def _uncached_media(source: Reported, room: int, changes: list[str]) -> dict[str, int]:
    """Audio, images and video that were not read from the cache, in `room` tokens of input that were not."""
    measures = {}
    for name, count, cached in (
        ("input_audio_tokens", source.audio_tokens, source.cached_audio_tokens),
        ("input_image_tokens", source.image_tokens, source.cached_image_tokens),
        ("input_video_tokens", source.video_tokens, source.cached_video_tokens),
    ):
        uncached = max(count - (cached or 0), 0)
        if uncached != count:
            changes.append(CACHED_MEDIA_TAKEN_OFF)
        measures[name] = min(uncached, room)
        if measures[name] != uncached:
            changes.append(MEDIA_CUT)
        room -= measures[name]
    return measures


def _output_parts(source: Reported, whole: int, changes: list[str]) -> dict[str, int]:
    """Audio and images side by side; reasoning may be in either, as it has no price of its own."""
    audio = min(source.output_audio_tokens, whole)
    image = min(source.output_image_tokens, whole - audio)
    reasoning = min(source.reasoning_tokens, whole)
    if (audio, image, reasoning) != (source.output_audio_tokens, source.output_image_tokens, source.reasoning_tokens):
        changes.append(OUTPUT_PARTS_CUT)
    return {"output_audio_tokens": audio, "output_image_tokens": image, "output_reasoning_tokens": reasoning}
