"""The tasks of the queue: lasting names, bodies of one line.

A message carries the number of a case and nothing else, and every task may run twice.
"""

import functools
import os
from collections.abc import Callable
from typing import Final

from celery import Celery

from pipelines.domain.identifiers import CaseId

PROCESS_CASE: Final = "process-case"


def register(app: Celery, services: Callable[[], Callable[[CaseId], None]]) -> None:
    """Make the tasks known to a worker's application.

    Parameters
    ----------
    services
        Makes the function that processes a case. Called at the first task of each process and never before, so that
        no connection or file of the worker's parent is shared with its children.
    """

    @functools.cache
    def process_of(pid: int) -> Callable[[CaseId], None]:
        return services()

    def process_case(case_id: int) -> None:
        process_of(os.getpid())(CaseId(case_id))

    app.task(name=PROCESS_CASE)(process_case)
