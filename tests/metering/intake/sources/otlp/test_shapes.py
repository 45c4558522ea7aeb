"""What is found by the shape of a span's attributes is what each of them says by itself."""

from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1 import common_pb2

from metering.intake.sources.otlp.names import COUNTS, RESPONSE_ID, TEXTS
from metering.intake.sources.otlp.protobuf import _gathered, _said
from metering.intake.sources.otlp.shapes import Shapes
from metering.intake.sources.otlp.span import Gathered, gathered

NAMES: Final = (
    *(name for names in (*COUNTS.values(), *TEXTS.values()) for name in names),
    *(RESPONSE_ID, RESPONSE_ID, "usage_dashboard.api_key_id", "usage_dashboard.attributes.team"),
    *("server.address", "gen_ai.request.temperature", "", "é", "k" * 130),
)
VALUES: Final = st.one_of(
    st.none(),
    st.integers(-2, 300).map(lambda value: common_pb2.AnyValue(int_value=value)),
    st.sampled_from(["", "chat", "gpt-4o", "12"]).map(lambda value: common_pb2.AnyValue(string_value=value)),
    st.booleans().map(lambda value: common_pb2.AnyValue(bool_value=value)),
    st.just(common_pb2.AnyValue(double_value=1.5)),
    st.just(common_pb2.AnyValue(array_value=common_pb2.ArrayValue())),
)


def raw(name: str, value: Any, *, value_first: bool) -> bytes:
    key: bytes = common_pb2.KeyValue(key=name).SerializeToString()
    said: bytes = common_pb2.KeyValue(value=value).SerializeToString()
    return said + key if value_first else key + said


RAWS: Final = st.lists(
    st.builds(raw, st.sampled_from(NAMES), VALUES, value_first=st.sampled_from([False] * 20 + [True])), max_size=12
)


def said(found: Gathered) -> tuple[Any, ...]:
    return found.counts, found.response_id, msgspec.structs.astuple(found.words)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RAWS, min_size=1, max_size=6))
def test_the_short_way_gives_what_the_long_way_gives(spans: list[list[bytes]]) -> None:
    shapes = Shapes()
    for raws in spans * 2:  # the second time every shape is known
        assert said(_gathered(raws, shapes)) == said(gathered(map(_said, raws)))


def test_attributes_in_the_usual_encoding_have_a_shape() -> None:
    shapes = Shapes()
    usual = [
        raw(name, common_pb2.AnyValue(int_value=1), value_first=False) for name in ("a", "gen_ai.usage.input_tokens")
    ]
    found = shapes.of(usual)
    assert found is not None
    assert (found.counts, found.words(usual), found.response_ids) == ((1,), (), ())
    assert shapes.of(usual) is found
    assert shapes.of([raw("a", common_pb2.AnyValue(int_value=1), value_first=True)]) is None
