"""Disturb a node and count.

python -m tests.chaos [--minutes M] [--studies N] [--seed S] [--broker embedded|redis] [--ledger sqlite|postgresql]
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import Plan, run, told


def main() -> int:
    parser = argparse.ArgumentParser(description="Disturb a node for a while, then count what was lost or done twice.")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--studies", type=int, help="default: 12 a minute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker", choices=["embedded", "redis"], default="embedded")
    parser.add_argument("--ledger", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--folder", type=Path, help="keep everything here instead of in a temporary folder")
    given = parser.parse_args()
    # whoever stops it wants its servers stopped too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    plan = Plan(
        seconds=60 * given.minutes,
        seed=given.seed,
        studies=given.studies or max(1, round(12 * given.minutes)),
        broker=given.broker,
        ledger=given.ledger,
    )
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        outcome = run(plan, given.folder or Path(temporary))
        print(told(outcome))
    return 1 if outcome.audit.faults else 0


if __name__ == "__main__":
    sys.exit(main())
