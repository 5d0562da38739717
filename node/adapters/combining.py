"""Do what many threads ask for at the same time in one go."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class _Ticket(Generic[Asked, Answer]):
    """One question, and its answer once somebody has asked for it."""

    __slots__ = ("answer", "asked", "done", "fault")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.done = False
        self.answer: Answer | None = None
        self.fault: BaseException | None = None


class Combiner(Generic[Asked, Answer]):
    """Calls `do` with all questions that have gathered; while it runs, the next ones gather.

    Nobody waits for company: a question that is alone is asked alone at once.

    Parameters
    ----------
    do
        Answers a batch, in its order; never called twice at the same time. What it raises, all of the batch get.
    at_most
        Size of a batch.
    """

    def __init__(self, do: Callable[[Sequence[Asked]], Sequence[Answer]], *, at_most: int = 64) -> None:
        self._do = do
        self._at_most = at_most
        self._waiting: deque[_Ticket[Asked, Answer]] = deque()
        self._turn = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        ticket: _Ticket[Asked, Answer] = _Ticket(asked)
        self._waiting.append(ticket)
        while not ticket.done:
            with self._turn:
                if not ticket.done:
                    self._work()
        if ticket.fault is not None:
            raise ticket.fault
        return ticket.answer  # type: ignore[return-value]  # it is set together with `done`

    def _work(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._at_most))]
        try:
            answers = self._do([ticket.asked for ticket in batch])
            for ticket, answer in zip(batch, answers, strict=True):
                ticket.answer = answer
        except BaseException as fault:
            for ticket in batch:
                ticket.fault = fault
        finally:
            for ticket in batch:
                ticket.done = True
