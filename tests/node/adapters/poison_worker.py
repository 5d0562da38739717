"""A worker whose child dies of one case, as of a library that crashes: `poison_worker.py LEDGER BROKER CASE`."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.queue_celery import QueueSettings, create_app, run_worker
from node.ports import Report
from node.tasks import register
from pipelines.domain.identifiers import CaseId


def main() -> int:
    database, broker, poison = sys.argv[1:]

    def services() -> Callable[[CaseId], None]:
        ledger = SqlLedger(open_engine(database), pipeline="test")

        def process(case: CaseId) -> None:
            claim = ledger.claim(case, "worker", at=datetime.now(UTC), lease=timedelta(seconds=1))
            if claim is None:
                return
            if case == int(poison):
                os.kill(os.getpid(), signal.SIGKILL)
            ledger.reported(claim, Report((), None, (), "1 lesion."), [], at=datetime.now(UTC))

        return process

    app = create_app(broker, settings=QueueSettings())
    register(app, services)
    return run_worker(app, concurrency=1, hostname="poison@test", log_level="INFO")


if __name__ == "__main__":
    sys.exit(main())
