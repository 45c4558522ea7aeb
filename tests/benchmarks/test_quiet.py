"""Was the machine quiet: others' processor time, and the attempts that follow where it was not."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from benchmarks import quiet
from benchmarks.quiet import Moment, Quietness, busy_seconds, others_share, own_seconds, quietly

STAT = "cpu  100 20 30 5000 600 4 6 40 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nctxt 5\n"
WORK = "import time\nwhile time.process_time() < 0.5: pass"


def moments(*shares: float) -> Callable[[], Moment]:
    """A look before and after each attempt of a second, during which others used this share of one processor."""

    def all_of_them() -> Iterator[Moment]:
        at = of_all = own = 0.0
        for share in shares:
            yield Moment(at, of_all, own)
            at, of_all, own = at + 1, of_all + 0.5 + share, own + 0.5
            yield Moment(at, of_all, own)

    found = all_of_them()
    return lambda: next(found)


@pytest.fixture(autouse=True)
def one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)


def test_work_of_all_is_what_is_neither_idle_nor_waiting_for_the_disk() -> None:
    assert busy_seconds(STAT, 100) == (100 + 20 + 30 + 4 + 6 + 40) / 100


def test_an_old_kernel_says_less_and_is_understood() -> None:
    assert busy_seconds("cpu 100 20 30 5000\n", 100) == 1.5


def test_others_have_what_is_not_our_own() -> None:
    before, after = Moment(10.0, 100.0, 7.0), Moment(20.0, 115.0, 12.0)
    assert others_share(before, after, num_cpus=2) == (15 - 5) / (10 * 2)
    assert others_share(before, Moment(20.0, 104.0, 12.0), num_cpus=2) == 0.0  # clocks tick in steps


def test_what_we_start_is_our_own_also_after_it_has_ended() -> None:
    before = own_seconds()
    with subprocess.Popen([sys.executable, "-c", f"{WORK}\ntime.sleep(60)"]) as process:
        while own_seconds() < before + 0.4:
            time.sleep(0.02)
        process.kill()
    after = own_seconds()
    assert 0.35 <= after - before < 5  # clocks tick in steps


def test_a_quiet_attempt_is_the_only_one() -> None:
    attempt = quietly(iter("abc").__next__, look=moments(0.05))
    assert attempt.result == "a"
    assert attempt.quietness.attempts == 1
    assert attempt.quietness.is_quiet


def test_attempts_end_with_the_first_that_is_quiet() -> None:
    attempt = quietly(iter("abc").__next__, look=moments(0.5, 0.02))
    assert (attempt.result, attempt.quietness.attempts, attempt.quietness.is_quiet) == ("b", 2, True)


def test_where_it_is_never_quiet_the_quietest_is_taken_and_says_so() -> None:
    attempt = quietly(iter("abcd").__next__, look=moments(0.9, 0.3, 0.6))
    assert (attempt.result, attempt.quietness.attempts, attempt.quietness.is_quiet) == ("b", 3, False)
    assert str(attempt.quietness) == "30% busy"


def test_what_takes_long_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "MOST_SECONDS", 0.0)
    attempt = quietly(iter("ab").__next__, look=moments(0.9))
    assert (attempt.result, attempt.quietness.attempts) == ("a", 1)


def test_what_cannot_be_done_twice_is_tried_once() -> None:
    attempt = quietly(iter("ab").__next__, look=moments(0.9), attempts=1)
    assert (attempt.result, attempt.quietness.attempts, attempt.quietness.is_quiet) == ("a", 1, False)


def test_a_machine_that_does_not_say_is_not_called_quiet() -> None:
    attempt = quietly(iter("ab").__next__, look=lambda: None)
    assert attempt.quietness == Quietness(None, 1)
    assert attempt.quietness.is_quiet is None
    assert str(attempt.quietness) == "not known"
