"""The items of a body, each for itself: as many as there are, whatever they hold, and no more than a request may have."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.intake.formats import items as module
from metering.intake.formats.events import UnreadableError
from metering.intake.formats.items import MAX_EVENTS, MAX_FIELDS, items

COMMAS: Final = "," * (MAX_EVENTS * MAX_FIELDS)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(alphabet='a,"\\[]{}: é', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='a"[{\\', max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def values_of(body: bytes) -> list[Any]:
    return [json.loads(item) for item in items(body, lines=False)]


@given(values=st.lists(VALUES, max_size=6), indent=st.sampled_from([None, 1]))
def test_the_elements_of_an_array_are_its_items(values: list[Any], indent: int | None) -> None:
    assert values_of(json.dumps(values, indent=indent).encode()) == values


@given(values=st.lists(VALUES, max_size=6), indent=st.sampled_from([None, 1]))
def test_they_are_the_same_when_their_brackets_tell_them_apart(values: list[Any], indent: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_FIELDS", -1)
        assert values_of(json.dumps(values, indent=indent).encode()) == values


@pytest.mark.parametrize(
    "large",
    [{"text": COMMAS}, {"vector": [0.1] * (len(COMMAS) + 2)}, [COMMAS]],
    ids=["a prompt", "a vector", "no object"],
)
def test_many_commas_inside_an_item_are_no_items(large: Any) -> None:
    values = [{"n": 1}, large, "text", {"n": 2}, 3]
    assert values_of(json.dumps(values).encode()) == values


@pytest.mark.parametrize(
    "body",
    [b"[{} {}," + b"0," * 9 + b"0]", b"[{},", b'[{"a":1}', b'[{"a":"', b"[{}]]", b"[}", b"[{]", b"[1,,2]", b"[{},,{}]"],
    ids=repr,
)
@pytest.mark.parametrize("fields", [MAX_FIELDS, -1], ids=["few commas", "many commas"])
def test_what_is_no_array_is_refused_as_a_whole(body: bytes, fields: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FIELDS", fields)
    with pytest.raises(UnreadableError) as caught:
        items(body, lines=False)
    assert caught.value.code == "invalid_json"


@pytest.mark.parametrize("filling", [b"0", b"{}", b'{"a":[1,2]}', b'",,,,,,,,,,"'], ids=repr)
@pytest.mark.parametrize("fields", [MAX_FIELDS, -1], ids=["few commas", "many commas"])
def test_more_items_than_a_request_may_have_are_refused(
    filling: bytes, fields: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FIELDS", fields)
    with pytest.raises(UnreadableError) as caught:
        items(b"[" + b",".join([filling] * (MAX_EVENTS + 1)) + b"]", lines=False)
    assert (caught.value.code, caught.value.status) == ("too_many_events", 413)


def test_lines_are_items_also_without_being_said_so() -> None:
    body = b'{"n": 1}\n\n{"n": 2}\nnonsense\n'
    assert items(body, lines=True) == items(body, lines=False) == [b'{"n": 1}', b'{"n": 2}', b"nonsense"]


def test_an_object_over_many_lines_is_one_item() -> None:
    body = json.dumps({"vector": [0.5] * 50_000}, indent=1).encode()
    assert items(body, lines=False) == [body]


@pytest.mark.parametrize("body", [b"", b"  \n "], ids=repr)
def test_no_body_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableError, match="no body"):
        items(body, lines=False)
