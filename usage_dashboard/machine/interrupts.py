"""How a launcher is asked to stop: SIGINT, SIGTERM and SIGHUP are noted, and acted on where nothing is half started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Interrupted(BaseException):
    """Someone asked the launcher to stop."""


@dataclass
class _State:
    noted: bool = False
    at_once: bool = False


_state = _State()


@contextmanager
def noted() -> Iterator[None]:
    """Within it, a request to stop is noted for `check`."""
    _state.noted = False
    before = {number: signal.signal(number, _note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def at_once() -> Iterator[None]:
    """Within it, a request to stop raises Interrupted wherever the program is: for long work that starts no process."""
    check()
    _state.at_once = True
    try:
        yield
    finally:
        _state.at_once = False


def check() -> None:
    """Raises Interrupted if someone has asked to stop."""
    if _state.noted:
        raise Interrupted


def _note(_number: int, _frame: FrameType | None) -> None:
    _state.noted = True
    if _state.at_once:
        _state.at_once = False
        raise Interrupted
