"""One run: studies stream in, things are killed, moods change; then calm, and the count."""

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from node.bootstrap.stores import open_stores
from node.faults import POINTS
from node.settings import load_settings
from pipelines.domain.case_state import CaseState
from tests.chaos.audit import Audit, audit, count_of_ended
from tests.chaos.pacs import GOOD, MOODS, TAKES_NOTHING, MoodyPacs
from tests.chaos.processes import Processes, Redis
from tests.chaos.senders import Receipts, Senders, make_study
from tests.node.postgres import empty_database, postgresql
from tests.tools import free_port, listens, tool, wait_for, write_config

_OVER = frozenset({CaseState.DELIVERED, CaseState.COMMITTED, CaseState.REJECTED, CaseState.FAILED})
_BETWEEN_BREATHS = 10
"""Disturbances after which the node may bring something to an end."""
_LONGEST_BREATH_S = 90.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to the node, and for how long.

    Attributes
    ----------
    studies
        Given to the senders during the run, evenly; each has seven instances.
    calm_s
        Time that the node has afterwards to bring everything to its end.
    """

    seconds: float
    seed: int = 1
    studies: int = 20
    senders: int = 4
    broker: Literal["embedded", "redis"] = "embedded"
    ledger: Literal["sqlite", "postgresql"] = "sqlite"
    calm_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened, and what the auditor found."""

    receipts: Receipts
    kills: dict[str, int]
    points: dict[str, int]
    moods: dict[str, int]
    starts: int
    seconds: float
    audit: Audit


def run(plan: Plan, folder: Path) -> Outcome:
    """Run `plan` in `folder`; raises when the node comes to no end."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(plan.seed)
    pacs = MoodyPacs()
    with ExitStack() as stack:
        port = pacs.start()
        stack.callback(lambda: pacs.feel("down"))
        broker = stack.enter_context(_redis(folder)) if plan.broker == "redis" else None
        url = ""
        if plan.ledger == "postgresql":
            url = empty_database(stack.enter_context(postgresql()), "chaos")
        config = write_config(
            folder,
            destinations={"MOODY": ("MOODY", port)},
            peer={"commitment": True, "query": True, "timeout_s": 2},
            receive={"processes": 2, "connections_per_minute": 0},
            queue={
                "lease_s": 3,
                "resubmit_after_s": 5,
                "max_attempts": 100,
                **({"broker": broker[0]} if broker else {}),
            },
            ledger={"url": url},
            extraction={"verify_every": 0},
            outputs={"kinds": ["seg", "sr-features", "sr-case"]},
            delivery={
                "destinations": ["MOODY"],
                "retry_first_s": 0.5,
                "retry_max_s": 1,
                "commitment_timeout_s": 5,
                "commitment_hold_s": 1,
            },
        )
        settings = load_settings(config, environment={})
        open_stores(settings)
        # they are ended before the count, the servers that it needs afterwards
        running = stack.enter_context(ExitStack())
        processes = Processes(config, folder)
        processes.start()
        running.callback(processes.stop)
        wait_for("the node listening", lambda: listens(settings.node.port), timeout_s=300)
        senders = Senders(settings.node.port, seed=plan.seed, count=plan.senders)
        senders.start()
        running.callback(senders.stop)
        breath = _Breath(lambda: count_of_ended(settings))
        _disturb(plan, folder, dice, senders, processes, pacs, broker[1] if broker else None, breath)
        pacs.feel(GOOD)
        processes.disarm()
        wait_for("everything acknowledged", lambda: not senders.outstanding(), timeout_s=plan.calm_s)
        ledger = open_stores(settings).ledger

        def over() -> bool:
            rows = ledger.overview(limit=1_000_000).cases
            pending = [row for row in rows if row.state not in _OVER or row.state is CaseState.DELIVERED]
            return len(rows) >= senders.receipts.studies and not pending

        wait_for("the end of all cases", over, timeout_s=plan.calm_s)
        running.close()
        return Outcome(
            senders.receipts,
            dict(processes.kills),
            dict(processes.done_at_points()),
            dict(pacs.answers),
            processes.starts,
            time.monotonic() - began,
            audit(settings, senders.receipts.acknowledged, pacs.kept),
        )


class _Breath:
    """Waits until another case has come to its end: on a busy machine a process may be killed before it is up, always.

    Parameters
    ----------
    ended
        How many cases have come to their end.
    """

    def __init__(self, ended: Callable[[], int]) -> None:
        self._ended = ended
        self._before = 0

    def take(self) -> None:
        """Return when there are more than the last time, or have been none for too long."""
        give_up_at = time.monotonic() + _LONGEST_BREATH_S
        while (now := self._ended()) <= self._before and time.monotonic() < give_up_at:
            time.sleep(0.5)
        self._before = now


def _disturb(
    plan: Plan,
    folder: Path,
    dice: random.Random,
    senders: Senders,
    processes: Processes,
    pacs: MoodyPacs,
    broker: Redis | None,
    breath: _Breath,
) -> None:
    begin = time.monotonic()
    given = disturbances = 0
    while (elapsed := time.monotonic() - begin) < plan.seconds:
        while given < plan.studies and given <= elapsed / plan.seconds * plan.studies:
            senders.give(make_study(plan.seed * 100_000 + given, folder / "studies"), dice)
            given += 1
        what = dice.random()
        if what < 0.4:
            processes.arm(dice)
        elif what < 0.7:
            processes.kill_one(dice)
        elif what < 0.95:
            pacs.feel(dice.choice(MOODS))
        elif broker is not None:
            processes.kills["redis"] += 1
            broker.kill()
        # long enough for a worker to come up now and then, short enough to hit it while it does
        time.sleep(dice.choice((0.2, 0.5, 1, 2, 5)))
        disturbances += 1
        if disturbances % _BETWEEN_BREATHS == 0:
            if pacs.mood in TAKES_NOTHING:
                pacs.feel(GOOD)
            # places stay armed meanwhile: those of the end of the way are reached by those who get so far
            breath.take()
    while given < plan.studies:
        senders.give(make_study(plan.seed * 100_000 + given, folder / "studies"), dice)
        given += 1


@contextmanager
def _redis(folder: Path) -> Iterator[tuple[str, Redis]]:
    program, port = tool("redis-server", "redis-server"), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]

    def start() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        wait_for("Redis listening", lambda: listens(port))
        return process

    server = Redis(start)
    try:
        yield f"redis://127.0.0.1:{port}/0", server
    finally:
        server.stop()


def told(outcome: Outcome) -> str:
    """The outcome for a person."""
    found, receipts = outcome.audit, outcome.receipts
    lines = [
        f"seconds              {outcome.seconds:.0f}",
        f"processes started    {outcome.starts}",
        f"killed               {sum(outcome.kills.values())}  {outcome.kills}",
        f"ended at a place     {sum(outcome.points.values())}  {outcome.points}",
        f"places               {len(outcome.points)} of {len(POINTS)}"
        + "".join(f", not {point}" for point in POINTS if point not in outcome.points),
        f"moods of the PACS    {outcome.moods}",
        "answers to senders   "
        + ", ".join(f"{'none' if s is None else f'0x{s:04X}'}: {n}" for s, n in receipts.answers.items()),
        f"acknowledged         {found.acknowledged} of {receipts.studies} studies, {receipts.again} of them twice",
        f"cases                {dict(found.cases)}, {found.runs} runs",
        f"results              {found.results} in the PACS, {found.sent_again} of them sent again with the same bytes",
        f"files left over      {found.leftovers} that nobody was told of",
        f"lost                 {sum(fault.startswith('LOST') for fault in found.faults)}",
        f"done twice           {sum(fault.startswith('DOUBLE') for fault in found.faults)}",
        *found.faults,
    ]
    return "\n".join(lines)
