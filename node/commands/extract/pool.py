"""Run a function over tasks in processes of their own, so that a crash in one costs no other."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final, TypeVar

import SimpleITK as sitk

from node import logs

Task = TypeVar("Task")
Result = TypeVar("Result")

# imports what computes once; each worker is then a copy that starts at once
_PRELOAD: Final = ["node.commands.extract.work"]


def run_all(
    work: Callable[[Task], Result], tasks: Iterable[Task], jobs: int
) -> Generator[tuple[Task, Result | None], None, None]:
    """Results of `work` for all `tasks`, as they are done; None for a task whose process died twice.

    When a process dies, by the system's hand for want of memory or by a fault in a decoder, nobody knows which of the
    tasks that ran killed it: each of them runs once more, alone. When the generator is closed, what still runs is
    stopped.
    """
    waiting = deque(tasks)
    suspects: deque[Task] = deque()
    while waiting or suspects:
        alone = bool(suspects)
        queue = suspects if alone else waiting
        running: dict[Future[Result], Task] = {}
        with _executor(1 if alone else min(jobs, len(queue))) as executor:
            try:
                while queue or running:
                    while queue and len(running) < (1 if alone else jobs):
                        # a broken pool refuses the task, which then stays in the queue
                        running[executor.submit(work, queue[0])] = queue[0]
                        queue.popleft()
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        result = future.result()
                        yield running.pop(future), result
            except BrokenProcessPool:
                lost = list(running.values())
                if not alone:
                    suspects.extend(lost)
                    continue
        if alone and running:
            yield next(iter(running.values())), None


@contextmanager
def _executor(workers: int) -> Generator[ProcessPoolExecutor, None, None]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    ours, theirs = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(ours,))
    try:
        yield executor
    except BaseException:
        # nobody waits for what runs: the workers see the end of the pipe and go
        theirs.close()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        theirs.close()
        ours.close()


def _begin(parent: Connection) -> None:
    """Make a worker: it leaves interrupts to its parent, and ends with it however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure("error", "human")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    # ITK's warnings quote file names
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    try:
        parent.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def in_chunks(items: Sequence[Task], size: int) -> list[Sequence[Task]]:
    """`items` cut into parts of `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
