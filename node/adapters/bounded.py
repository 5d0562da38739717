"""Associations of pynetdicom on which nothing is waited for without end, whatever it or the peer does."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.pdu_primitives import A_P_ABORT

_ANSWER_S: Final = 30.0
_GRACE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.1


class BrokenOff(RuntimeError):
    """A call that did not come to an end in time, or to one that makes sense; the association is gone.

    pynetdicom raises `RuntimeError` on an association that is gone already, so that callers need not tell them apart.
    """


class Watch:
    """How long it may still take until something happens on an association."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.over = threading.Event()
        self.broken_off = False
        self.progress()

    def progress(self, _: object = None) -> None:
        """Something has happened: the time begins again."""
        self._until = time.monotonic() + self._limit_s

    def rest(self) -> None:
        """Nothing is waited for."""
        self._until = math.inf

    @property
    def late(self) -> bool:
        return time.monotonic() > self._until


@contextmanager
def watched(association: Any, limit_s: float) -> Iterator[Watch]:
    """Break the association off when what is done meanwhile takes longer than `limit_s` without progress.

    Raises
    ------
    BrokenOff
        At the end, if that was so.
    """
    watch = Watch(limit_s)

    def look() -> None:
        while not watch.over.wait(_LOOK_EVERY_S):
            if watch.late:
                watch.broken_off = True
                # again and again: its own threads may be about to say otherwise
                break_off(association)

    thread = threading.Thread(target=look, name="association-watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.over.set()
        thread.join()
    if watch.broken_off:
        raise BrokenOff("the association was broken off, because nothing happened on it any more")


def break_off(association: Any) -> None:
    """Close the connection, and wake whoever waits for anything of the association."""
    association.is_aborted, association.is_established = True, False
    association._kill = True
    association._is_paused = True
    association._reactor_checkpoint.set()
    association.dul.kill_dul()
    hang_up(association)
    # for those who wait for a message, or for the answer to a request for release
    association.dimse.msg_queue.put((None, None))
    association.dul.to_user_queue.put(A_P_ABORT())


def abort(association: Any) -> None:
    """End an association at once, whatever it has come to."""
    with suppress(BrokenOff), watched(association, _GRACE_S):
        association.abort()


def hang_up(association: Any) -> None:
    """Close the connection of an association that is over, which pynetdicom leaves open when its own thread fails."""
    if association.dul.socket is not None:
        association.dul.socket._shutdown_socket()


class BoundedAssociation:
    """What the node uses of pynetdicom's association, each call of which ends.

    Calls raise `RuntimeError` when the association is gone, and `ValueError` when the peer has not accepted what they
    need; otherwise they give what pynetdicom's calls of the same names give. Status is missing from an answer that did
    not come.

    Parameters
    ----------
    association
        pynetdicom's, asked for by either side.
    """

    def __init__(self, association: Any) -> None:
        self._association = association

    @property
    def is_established(self) -> bool:
        return bool(self._association.is_established)

    @property
    def accepted(self) -> frozenset[str]:
        """Abstract syntaxes that both sides agreed on."""
        return frozenset(str(context.abstract_syntax) for context in self._association.accepted_contexts)

    def wait_for_answers(self, seconds: float) -> None:
        """Change how long the peer may say nothing."""
        self._association.dimse_timeout = self._association.network_timeout = seconds

    def send_c_echo(self) -> Dataset:
        return self._answer(self._association.send_c_echo)

    def send_c_find(self, keys: Dataset, model: str) -> Iterator[tuple[Dataset, Dataset | None]]:
        return self._answers(lambda: self._association.send_c_find(keys, model))

    def send_c_move(self, keys: Dataset, destination: str, model: str) -> Iterator[tuple[Dataset, Dataset | None]]:
        return self._answers(lambda: self._association.send_c_move(keys, destination, model))

    def send_c_get(self, keys: Dataset, model: str) -> Iterator[tuple[Dataset, Dataset | None]]:
        return self._answers(lambda: self._association.send_c_get(keys, model))

    def send_n_action(
        self, information: Dataset, action: int, sop_class: str, instance: str, *, meta_uid: str | None = None
    ) -> Dataset:
        """Status of the answer, without what else it tells."""
        return self._answer(
            lambda: self._association.send_n_action(information, action, sop_class, instance, meta_uid=meta_uid)[0]
        )

    def send_n_set(
        self, modifications: Dataset, sop_class: str, instance: str, *, meta_uid: str | None = None
    ) -> Dataset:
        """Status of the answer, without what else it tells."""
        return self._answer(
            lambda: self._association.send_n_set(modifications, sop_class, instance, meta_uid=meta_uid)[0]
        )

    def send_n_event_report(
        self, information: Dataset, event: int, sop_class: str, instance: str, *, meta_uid: str | None = None
    ) -> Dataset:
        """Status of the answer, without what else it tells."""
        return self._answer(
            lambda: self._association.send_n_event_report(information, event, sop_class, instance, meta_uid=meta_uid)[0]
        )

    def close(self, *, lost: bool = False) -> None:
        """End it if it still stands, with an abort when it is out of step."""
        association = self._association
        if association.is_established:
            # two answers: to what is being done when the release is asked for, and to that request
            limit_s = 2 * (association.acse_timeout or _ANSWER_S) + _GRACE_S
            with suppress(BrokenOff), watched(association, limit_s):
                association.abort() if lost else association.release()
        hang_up(association)

    @property
    def _limit_s(self) -> float:
        # pynetdicom first waits for the answer, and then for the end of the association that it aborts
        association = self._association
        return float((association.dimse_timeout or _ANSWER_S) + (association.acse_timeout or _ANSWER_S) + _GRACE_S)

    def _answer(self, call: Callable[[], Dataset]) -> Dataset:
        with self._in_step(), watched(self._association, self._limit_s):
            return call()

    def _answers(
        self, call: Callable[[], Iterator[tuple[Dataset, Dataset | None]]]
    ) -> Iterator[tuple[Dataset, Dataset | None]]:
        with self._in_step(), watched(self._association, self._limit_s) as watch:
            # what a peer stores meanwhile (C-GET) is no answer, but progress
            self._association.bind(evt.EVT_DIMSE_RECV, watch.progress)
            try:
                answers = iter(call())
                while (answer := next(answers, None)) is not None:
                    watch.rest()
                    yield answer
                    watch.progress()
            finally:
                self._association.unbind(evt.EVT_DIMSE_RECV, watch.progress)

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """pynetdicom looks for the answer to its request in whatever the peer answers."""
        try:
            yield
        except (AttributeError, LookupError) as fault:
            break_off(self._association)
            raise BrokenOff("the peer answered another request") from fault
