"""The short way of the calls that most are gives what the long way gives."""

from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.intake.sources.litellm.payload import Payload
from metering.intake.sources.litellm.usage import plain_measures, reading_of
from metering.intake.sources.readings import measures_of
from tests.metering.intake.sources.litellm_payloads import USAGE

COUNTS: Final = st.sampled_from([None, 0, 0, 0, 1, 5, 100])
OTHERS: Final = st.sampled_from([None, None, None, 0, 2])


def some(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, OTHERS))


USAGES: Final = st.fixed_dictionaries(
    {
        "prompt_tokens": COUNTS,
        "completion_tokens": COUNTS,
        "total_tokens": st.sampled_from([None, 0, 2, 6, 10, 105, 200]),
    },
    optional={
        "prompt_tokens_details": some("cached_tokens", "cache_creation_tokens", "audio_tokens", "web_search_requests"),
        "completion_tokens_details": some("reasoning_tokens", "audio_tokens", "image_tokens"),
        "cache_read_input_tokens": OTHERS,
        "cache_creation_input_tokens": OTHERS,
        "server_tool_use": some("web_search_requests"),
        "speed": st.sampled_from([None, "standard", "fast"]),
        "service_tier": st.sampled_from([None, "flex"]),
        "inference_geo": st.sampled_from([None, "global", "us"]),
    },
)


def make(usage: dict[str, Any]) -> Payload:
    payload = {"id": "a", "call_type": "acompletion", "endTime": 1, "model": "m", "metadata": {"usage_object": usage}}
    return msgspec.json.decode(msgspec.json.encode(payload), type=Payload)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(USAGES)
def test_the_short_way_gives_what_the_long_way_gives(usage: dict[str, Any]) -> None:
    payload = make(usage)
    plain = plain_measures(payload)
    if plain is not None:
        reading = reading_of(payload, "completions")
        assert measures_of(reading, reading.units) == (plain, ())
        assert (reading.tools, reading.service_tier, reading.speed, reading.region) == ((), None, None, None)


def test_a_usual_call_goes_the_short_way() -> None:
    assert plain_measures(make(USAGE)) == {"input_tokens": 100, "input_cached_tokens": 40, "output_tokens": 20}
