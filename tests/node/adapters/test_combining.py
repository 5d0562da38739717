"""Questions of many threads in one go: all are answered, each with its own answer, and faults reach those concerned."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from node.adapters.combining import Combiner
from tests.tools import wait_for

_LIMIT_S = 120


def test_everybody_gets_the_answer_to_his_own_question() -> None:
    ask = Combiner(lambda batch: [number * 2 for number in batch])
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(2000))) == [number * 2 for number in range(2000)]


def test_questions_that_gather_are_answered_together_and_never_too_many_at_once() -> None:
    batches: list[int] = []
    gate = threading.Event()

    def do(batch: Sequence[int]) -> list[int]:
        gate.wait(_LIMIT_S)
        batches.append(len(batch))
        return list(batch)

    ask = Combiner(do, at_most=4)
    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(ask, number) for number in range(10)]
        wait_for("all questions", lambda: len(ask._waiting) == 9, timeout_s=_LIMIT_S, every_s=0.01)
        gate.set()
        assert [one.result(_LIMIT_S) for one in answers] == list(range(10))
    assert sum(batches) == 10
    assert max(batches) == 4


def test_a_fault_reaches_its_batch_and_no_other() -> None:
    def do(batch: Sequence[int]) -> list[int]:
        if 7 in batch:
            raise ValueError("no sevens")
        return list(batch)

    ask = Combiner(do)
    with pytest.raises(ValueError, match="sevens"):
        ask(7)
    assert ask(8) == 8


def test_no_two_batches_run_at_the_same_time() -> None:
    inside, overlaps = threading.Lock(), []

    def do(batch: Sequence[int]) -> list[int]:
        if not inside.acquire(blocking=False):
            overlaps.append(batch)
            return list(batch)
        threading.Event().wait(0.001)
        inside.release()
        return list(batch)

    ask = Combiner(do, at_most=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(200)))
    assert not overlaps
