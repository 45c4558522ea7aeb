"""Python's collector rests while tests are collected, and works seldom afterwards: it took a fifth of their time."""

import gc

import pytest

NEW_OBJECTS = 10_000
"""Between two of its rounds; 700 unless set."""

gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """What is loaded now stays for good, as in web (`usage_dashboard/wsgi.py`)."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    gc.enable()
