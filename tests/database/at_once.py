"""Several who act in the same moment, many times over: what is wrong only in a race shows in some of the rounds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def at_once(*acts: Callable[[int], T], rounds: int = 30) -> list[tuple[T, ...]]:
    """What each of these answers to the number of the round, by round. They begin every round together, each on a connection
    of its own. What one of them raises ends it all, and is raised."""
    together = Barrier(len(acts), timeout=60)

    def play(act: Callable[[int], T]) -> list[T]:
        answers = []
        try:
            for number in range(rounds):
                together.wait()
                answers.append(act(number))
        except BaseException:
            together.abort()
            raise
        finally:
            connection.close()
        return answers

    with ThreadPoolExecutor(len(acts)) as threads:
        players = [threads.submit(play, act) for act in acts]
    errors = [error for player in players if (error := player.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
        raise error
    return list(zip(*(player.result() for player in players), strict=True))
