"""Work in several processes that start at the same moment, so that the load generator never waits for itself."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

from django.db import connections

START_TIMEOUT_SECONDS = 60
LONGEST_SECONDS = 900
_processes = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Together:
    """What the processes returned, and the time from the common start to the end of the last."""

    seconds: float
    results: list[Any]


def run_together(work: Sequence[Callable[[], Any]]) -> Together:
    """Run each function in a forked process. An error in one rises here."""
    connections.close_all()
    barrier = _processes.Barrier(len(work))
    pipes = [_processes.Pipe(duplex=False) for _ in work]
    children = [
        _processes.Process(target=_child, args=(function, barrier, sender), daemon=True)
        for function, (_, sender) in zip(work, pipes, strict=True)
    ]
    for child in children:
        child.start()
    try:
        answers = [_answer(receiver) for receiver, _ in pipes]
    finally:
        for child in children:
            child.terminate()
            child.join()
    started, ended, results = zip(*answers, strict=True)
    return Together(max(ended) - min(started), list(results))


def _child(function: Callable[[], Any], barrier: Barrier, sender: "Connection[Any, Any]") -> None:
    try:
        barrier.wait(START_TIMEOUT_SECONDS)
        started = time.monotonic()
        result = function()
        sender.send((started, time.monotonic(), result))
    except BaseException as error:
        sender.send(RuntimeError(f"{type(error).__name__}: {error}"))
        raise


def _answer(receiver: "Connection[Any, Any]") -> tuple[float, float, Any]:
    if not receiver.poll(LONGEST_SECONDS):
        raise TimeoutError("A process of the load generator did not end.")
    answer = receiver.recv()
    if isinstance(answer, BaseException):
        raise answer
    started, ended, result = answer
    return started, ended, result
