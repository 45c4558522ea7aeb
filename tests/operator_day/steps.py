"""A step of the day, timed, and what must be true after it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NUM_SHOWN: Final = 10


class DifferentError(AssertionError):
    """The product says something else than it must."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Prints what was done, and how long it took."""
    start = time.monotonic()
    yield
    print(f"{time.monotonic() - start:7.1f} s  {what}", flush=True)


def require(what: str, found: object, wanted: object) -> None:
    """Raises DifferentError, with the first differences, unless both are equal."""
    if found == wanted:
        return
    if isinstance(found, dict) and isinstance(wanted, dict):
        both = {key: (found.get(key), wanted.get(key)) for key in {*found, *wanted}}
        lines = [f"  {key}: {one}, not {other}" for key, (one, other) in both.items() if one != other]
        raise DifferentError("\n".join([what, *sorted(lines)[:NUM_SHOWN]]))
    raise DifferentError(f"{what}: {found}, not {wanted}")
