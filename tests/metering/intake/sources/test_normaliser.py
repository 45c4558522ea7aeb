"""Counts of sources → our disjoint measures: what the counts themselves say, and what holds whatever they are."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metering.intake.sources.normaliser import (
    CACHE_BESIDE,
    CACHE_EXCEEDS_INPUT,
    CACHED_MEDIA_TAKEN_OFF,
    INCLUSIVE,
    LIFETIMES_EXCEED_CACHE_WRITE,
    MEDIA_CUT,
    OUTPUT_PARTS_CUT,
    REASONING_BESIDE,
    REASONING_EXCEEDS_OUTPUT,
    REST_IS_INPUT,
    TOTAL_SAYS_CACHE_BESIDE,
    TOTAL_SAYS_MORE_INPUT,
    TOTAL_SAYS_MORE_OUTPUT,
    Counting,
    NotACountError,
    Reported,
    normalise,
    plain_measures,
    reported,
)

COUNTS = st.integers(min_value=0, max_value=400)
MAYBE = st.none() | COUNTS
REPORTED = st.builds(
    Reported,
    **{name: MAYBE if "cached_" in name else COUNTS for name in Reported.__struct_fields__ if name != "total_tokens"},
    total_tokens=st.none() | st.integers(min_value=0, max_value=3_000),
)
COUNTINGS = st.sampled_from([INCLUSIVE, CACHE_BESIDE, REASONING_BESIDE, REST_IS_INPUT, Counting(True, True)])
INPUT_PARTS = (
    "input_cached_tokens",
    "input_cache_write_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "input_video_tokens",
)
OUTPUT_PARTS = ("output_audio_tokens", "output_image_tokens")


@dataclass
class Case:
    """What is reported, and what it is worked out by hand to be."""

    name: str
    counts: dict[str, int]
    counting: Counting
    measures: dict[str, int]
    changes: tuple[str, ...] = ()


CASES = [
    Case("nothing", {}, INCLUSIVE, {}),
    Case(
        "a total that is larger than the output's reasoning explains is the whole all the same",
        {"input_tokens": 10, "output_tokens": 5, "reasoning_tokens": 8, "total_tokens": 20},
        INCLUSIVE,
        {"input_tokens": 10, "output_tokens": 10, "output_reasoning_tokens": 8},
        (TOTAL_SAYS_MORE_OUTPUT,),
    ),
    Case(
        "all is inside, and the total agrees",
        {"input_tokens": 1000, "cache_read_tokens": 800, "cache_write_tokens": 100, "output_tokens": 50}
        | {"total_tokens": 1050},
        INCLUSIVE,
        {"input_tokens": 1000, "input_cached_tokens": 800, "input_cache_write_tokens": 100, "output_tokens": 50},
    ),
    Case(
        "the source's rule is that the cache stands beside",
        {"input_tokens": 100, "cache_read_tokens": 800, "cache_write_tokens": 60, "output_tokens": 50},
        CACHE_BESIDE,
        {"input_tokens": 960, "input_cached_tokens": 800, "input_cache_write_tokens": 60, "output_tokens": 50},
    ),
    Case(
        "the total has the cache beside the input after all",
        {"input_tokens": 1000, "cache_read_tokens": 800, "cache_write_tokens": 60, "output_tokens": 50}
        | {"total_tokens": 1910},
        INCLUSIVE,
        {"input_tokens": 1860, "input_cached_tokens": 800, "input_cache_write_tokens": 60, "output_tokens": 50},
        (TOTAL_SAYS_CACHE_BESIDE,),
    ),
    Case(
        "the total has output that is not in the output",
        {"input_tokens": 1000, "output_tokens": 50, "reasoning_tokens": 400, "total_tokens": 1450},
        INCLUSIVE,
        {"input_tokens": 1000, "output_tokens": 450, "output_reasoning_tokens": 400},
        (TOTAL_SAYS_MORE_OUTPUT,),
    ),
    Case(
        "the total has input that is not in the input, where the source is known for that",
        {"input_tokens": 199, "output_tokens": 169, "reasoning_tokens": 140, "total_tokens": 616},
        REST_IS_INPUT,
        {"input_tokens": 447, "output_tokens": 169, "output_reasoning_tokens": 140},
        (TOTAL_SAYS_MORE_INPUT,),
    ),
    Case(
        "also where as much was read from a cache",
        {"input_tokens": 199, "cache_read_tokens": 100, "output_tokens": 29, "total_tokens": 328},
        REST_IS_INPUT,
        {"input_tokens": 299, "input_cached_tokens": 100, "output_tokens": 29},
        (TOTAL_SAYS_MORE_INPUT,),
    ),
    Case(
        "as much as was reasoned is output there, too",
        {"input_tokens": 199, "output_tokens": 29, "reasoning_tokens": 140, "total_tokens": 368},
        REST_IS_INPUT,
        {"input_tokens": 199, "output_tokens": 169, "output_reasoning_tokens": 140},
        (TOTAL_SAYS_MORE_OUTPUT,),
    ),
    Case(
        "a total that is too small is no reason to count less",
        {"input_tokens": 1000, "output_tokens": 50, "total_tokens": 50},
        INCLUSIVE,
        {"input_tokens": 1000, "output_tokens": 50},
    ),
    Case(
        "more cache than input was never inside",
        {"input_tokens": 10, "cache_read_tokens": 800, "cache_write_tokens": 60, "output_tokens": 50},
        INCLUSIVE,
        {"input_tokens": 870, "input_cached_tokens": 800, "input_cache_write_tokens": 60, "output_tokens": 50},
        (CACHE_EXCEEDS_INPUT,),
    ),
    Case(
        "more cache than input, and a total that has reasoning too: each token counts once",
        {"input_tokens": 10, "cache_read_tokens": 800, "output_tokens": 50, "reasoning_tokens": 30}
        | {"total_tokens": 890},
        INCLUSIVE,
        {"input_tokens": 810, "input_cached_tokens": 800, "output_tokens": 80, "output_reasoning_tokens": 30},
        (CACHE_EXCEEDS_INPUT, TOTAL_SAYS_MORE_OUTPUT),
    ),
    Case(
        "more reasoning than output was never inside",
        {"input_tokens": 32, "output_tokens": 9, "reasoning_tokens": 94},
        INCLUSIVE,
        {"input_tokens": 32, "output_tokens": 103, "output_reasoning_tokens": 94},
        (REASONING_EXCEEDS_OUTPUT,),
    ),
    Case(
        "the source's rule is that reasoning stands beside",
        {"input_tokens": 32, "output_tokens": 90, "reasoning_tokens": 40, "total_tokens": 162},
        REASONING_BESIDE,
        {"input_tokens": 32, "output_tokens": 130, "output_reasoning_tokens": 40},
    ),
    Case(
        "cached audio is cached input",
        {"input_tokens": 1459, "cache_read_tokens": 1408, "audio_tokens": 110, "cached_audio_tokens": 64}
        | {"output_tokens": 396, "output_audio_tokens": 299},
        INCLUSIVE,
        {"input_tokens": 1459, "input_cached_tokens": 1408, "input_audio_tokens": 46}
        | {"output_tokens": 396, "output_audio_tokens": 299},
        (CACHED_MEDIA_TAKEN_OFF,),
    ),
    Case(
        "audio of which nobody says what was cached is what is left of the input",
        {"input_tokens": 1459, "cache_read_tokens": 1408, "audio_tokens": 110, "output_tokens": 3},
        INCLUSIVE,
        {"input_tokens": 1459, "input_cached_tokens": 1408, "input_audio_tokens": 51, "output_tokens": 3},
        (MEDIA_CUT,),
    ),
    Case(
        "audio, images and video side by side",
        {"input_tokens": 1000, "audio_tokens": 100, "image_tokens": 258, "video_tokens": 300, "output_tokens": 1300}
        | {"output_image_tokens": 1290},
        INCLUSIVE,
        {"input_tokens": 1000, "input_audio_tokens": 100, "input_image_tokens": 258, "input_video_tokens": 300}
        | {"output_tokens": 1300, "output_image_tokens": 1290},
    ),
    Case(
        "lifetimes without their sum",
        {"input_tokens": 1000, "cache_write_long_tokens": 300},
        INCLUSIVE,
        {"input_tokens": 1000, "input_cache_write_tokens": 300, "input_cache_write_long_tokens": 300},
        (LIFETIMES_EXCEED_CACHE_WRITE,),
    ),
    Case(
        "more of the output's parts than output",
        {"input_tokens": 5, "output_tokens": 100, "output_audio_tokens": 80, "output_image_tokens": 30}
        | {"reasoning_tokens": 30},
        INCLUSIVE,
        {"input_tokens": 5, "output_tokens": 100, "output_audio_tokens": 80, "output_image_tokens": 20}
        | {"output_reasoning_tokens": 30},
        (OUTPUT_PARTS_CUT,),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_counts_become_these_measures(case: Case) -> None:
    found = normalise(Reported(**case.counts), case.counting)
    assert found.measures == case.measures
    assert found.changes == case.changes


@given(source=REPORTED, counting=COUNTINGS)
def test_the_parts_never_exceed_their_whole(source: Reported, counting: Counting) -> None:
    found = normalise(source, counting).measures
    assert all(count > 0 for count in found.values())
    assert sum(found.get(part, 0) for part in INPUT_PARTS) <= found.get("input_tokens", 0)
    assert sum(found.get(part, 0) for part in OUTPUT_PARTS) <= found.get("output_tokens", 0)
    assert found.get("output_reasoning_tokens", 0) <= found.get("output_tokens", 0)
    assert found.get("input_cache_write_long_tokens", 0) <= found.get("input_cache_write_tokens", 0)


@given(source=REPORTED, counting=COUNTINGS)
def test_no_count_of_the_source_is_lost(source: Reported, counting: Counting) -> None:
    found = normalise(source, counting).measures
    assert found.get("input_tokens", 0) >= source.input_tokens
    assert found.get("output_tokens", 0) >= source.output_tokens
    assert found.get("input_cached_tokens", 0) == source.cache_read_tokens
    assert found.get("input_cache_write_tokens", 0) >= source.cache_write_tokens


@given(source=REPORTED, counting=COUNTINGS)
@example(source=Reported(input_tokens=1, cache_read_tokens=1, output_tokens=1, total_tokens=3), counting=INCLUSIVE)
@example(source=Reported(output_tokens=1, reasoning_tokens=2, total_tokens=0), counting=INCLUSIVE)
def test_what_is_normalised_stays_as_it_is(source: Reported, counting: Counting) -> None:
    once = normalise(source, counting).measures
    again = normalise(
        Reported(
            input_tokens=once.get("input_tokens", 0),
            output_tokens=once.get("output_tokens", 0),
            cache_read_tokens=once.get("input_cached_tokens", 0),
            cache_write_tokens=once.get("input_cache_write_tokens", 0),
            cache_write_long_tokens=once.get("input_cache_write_long_tokens", 0),
            audio_tokens=once.get("input_audio_tokens", 0),
            image_tokens=once.get("input_image_tokens", 0),
            video_tokens=once.get("input_video_tokens", 0),
            output_audio_tokens=once.get("output_audio_tokens", 0),
            output_image_tokens=once.get("output_image_tokens", 0),
            reasoning_tokens=once.get("output_reasoning_tokens", 0),
            total_tokens=source.total_tokens,
        )
    )
    assert (again.measures, again.changes) == (once, ())


@given(fresh=COUNTS, read=COUNTS, write=COUNTS, text=COUNTS, reasoning=COUNTS, total=st.booleans(), counting=COUNTINGS)
def test_one_request_is_the_same_in_every_shape(
    *, fresh: int, read: int, write: int, text: int, reasoning: int, total: bool, counting: Counting
) -> None:
    parts = {"cache_read_tokens": read, "cache_write_tokens": write, "reasoning_tokens": reasoning}
    wholes = {"input_tokens": fresh + read + write, "output_tokens": text + reasoning}
    if total:
        parts["total_tokens"] = fresh + read + write + text + reasoning
    shaped = {
        "input_tokens": fresh if counting.cache_beside_input else wholes["input_tokens"],
        "output_tokens": text if counting.reasoning_beside_output else wholes["output_tokens"],
    }
    found = normalise(Reported(**parts, **shaped), counting)
    assert found == normalise(Reported(**parts, **wholes))
    assert found.changes == ()


@pytest.mark.parametrize("count", [-1, 1.5, "12", True, [1], {}, 2**63], ids=repr)
def test_what_is_no_count_is_refused(count: Any) -> None:
    with pytest.raises(NotACountError) as caught:
        reported({"input_tokens": count})
    assert caught.value.refusal.code == "invalid_measure"
    assert "input_tokens" in caught.value.refusal.message


def test_absent_counts_are_none() -> None:
    assert reported({"input_tokens": 5, "output_tokens": None, "total_tokens": None}) == Reported(input_tokens=5)


@pytest.mark.parametrize("count", ["12", 12])
def test_whole_numbers_come_as_text_where_the_format_says_so(count: Any) -> None:
    assert reported({"input_tokens": count}, texts=True) == Reported(input_tokens=12)


@pytest.mark.parametrize("count", ["", "twelve", "-12", "1.5", "12 "], ids=repr)
def test_other_texts_are_refused_there_too(count: str) -> None:
    with pytest.raises(NotACountError):
        reported({"input_tokens": count}, texts=True)


def test_counts_that_are_read_from_json_are_checked_there() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"input_tokens":-1}', type=Reported)


@given(*[st.sampled_from([None, True, -1, 0, 0, 1, 40, 100, 140, "100", 1.0, 2**63])] * 5)
def test_the_short_way_of_plain_counts_gives_what_the_long_way_gives(
    whole: Any, cached: Any, output: Any, reasoning: Any, total: Any
) -> None:
    plain = plain_measures(whole, cached, output, reasoning, total)
    if plain is not None:
        counts = {
            "input_tokens": whole,
            "cache_read_tokens": cached,
            "output_tokens": output,
            "reasoning_tokens": reasoning,
            "total_tokens": total,
        }
        found = normalise(reported(counts))
        assert (found.measures, found.changes) == (plain, ())


def test_plain_counts_go_the_short_way() -> None:
    whole = {"input_tokens": 100, "output_tokens": 20}
    assert plain_measures(100, 0, 20, 0, None) == whole
    assert plain_measures(100, 40, 20, 5, 120) == whole | {"input_cached_tokens": 40, "output_reasoning_tokens": 5}
