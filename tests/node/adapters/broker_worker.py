"""A worker process for the queue tests: each case sleeps and writes when it started and ended into a journal.

Usage: broker_worker.py JSON, with the fields of `Order`.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.adapters.queue_celery import QueueSettings, create_app, run_worker
from node.tasks import register
from pipelines.domain.identifiers import CaseId


@dataclass(frozen=True)
class Order:
    """What the worker does; `task_s` holds seconds by case, "default" for the others."""

    broker: str
    journal: str
    hostname: str
    concurrency: int = 1
    task_s: dict[str, float] = field(default_factory=lambda: {"default": 0.0})
    settings: dict[str, Any] = field(default_factory=dict)


def main() -> int:
    order = Order(**json.loads(sys.argv[1]))

    def write(event: str, case_id: int) -> None:
        line = json.dumps({"event": event, "case": case_id, "pid": os.getpid(), "at": time.monotonic()}) + "\n"
        # one write to a file opened for appending is one piece, whoever else writes
        with Path(order.journal).open("ab", buffering=0) as journal:
            journal.write(line.encode())

    def services() -> Callable[[CaseId], None]:
        write("services", 0)

        def process(case_id: CaseId) -> None:
            write("start", case_id)
            time.sleep(order.task_s.get(str(case_id), order.task_s["default"]))
            write("end", case_id)

        return process

    app = create_app(order.broker, settings=QueueSettings(**order.settings))
    register(app, services)
    return run_worker(app, concurrency=order.concurrency, hostname=order.hostname, log_level="INFO")


if __name__ == "__main__":
    sys.exit(main())
