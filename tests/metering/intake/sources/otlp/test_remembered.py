"""What was read before is given again, whatever other threads read meanwhile."""

from collections import Counter
from collections.abc import Callable
from threading import Thread

import pytest

from metering.intake.sources.otlp import remembered
from metering.intake.sources.otlp.remembered import Remembered


class Interrupted(str):
    """A text during whose comparison another thread does something, once."""

    __slots__ = ("meanwhile",)

    def __init__(self, _: str) -> None:
        self.meanwhile: Callable[[], object] | None = None

    def __eq__(self, other: object) -> bool:
        if meanwhile := self.meanwhile:
            self.meanwhile = None
            thread = Thread(target=meanwhile)
            thread.start()
            thread.join()
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.fixture
def reads() -> Counter[str]:
    """How often each text was read."""
    return Counter()


@pytest.fixture
def memory(reads: Counter[str], monkeypatch: pytest.MonkeyPatch) -> Remembered[str, str]:
    """Two generations of one text each."""
    monkeypatch.setattr(remembered, "MAX_REMEMBERED", 1)

    def read(text: str) -> str:
        reads[text] += 1
        return text.upper()

    return Remembered(read, keeps=lambda text, _: len(text) < 10)


def test_what_was_asked_for_of_late_is_read_once(memory: Remembered[str, str], reads: Counter[str]) -> None:
    assert [memory[text] for text in ("a", "b", "a", "b", "a")] == ["A", "B", "A", "B", "A"]
    assert reads == {"a": 1, "b": 1}


def test_what_was_not_asked_for_of_late_is_forgotten(memory: Remembered[str, str], reads: Counter[str]) -> None:
    assert [memory[text] for text in ("a", "b", "c", "a")] == ["A", "B", "C", "A"]
    assert reads == {"a": 2, "b": 1, "c": 1}


def test_what_is_not_kept_is_read_every_time(memory: Remembered[str, str], reads: Counter[str]) -> None:
    assert memory["a long text"] == memory["a long text"] == "A LONG TEXT"
    assert reads == {"a long text": 2}


def test_what_another_thread_forgets_meanwhile_is_given_all_the_same(
    memory: Remembered[str, str], reads: Counter[str]
) -> None:
    assert memory["a"] == "A"
    assert memory["b"] == "B"
    asked = Interrupted("a")
    asked.meanwhile = lambda: memory["c"]
    assert memory[asked] == "A"
    assert reads == {"a": 1, "b": 1, "c": 1}
