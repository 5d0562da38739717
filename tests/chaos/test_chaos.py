"""Nothing is lost and nothing is done twice, whatever dies."""

from pathlib import Path

import pytest

from node.faults import POINTS
from tests.chaos.run import Plan, run, told

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(900)
def test_kills_and_a_moody_pacs_cost_nothing(tmp_path: Path) -> None:
    outcome = run(Plan(seconds=20, seed=7, studies=3), tmp_path)
    assert outcome.audit.faults == [], told(outcome)
    assert outcome.audit.acknowledged == 21
    assert sum(outcome.audit.cases.values()) == 3
    # a report of features and one of the case
    assert outcome.audit.results == 6


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("broker", "ledger"), [("embedded", "sqlite"), ("redis", "sqlite"), ("redis", "postgresql")])
def test_a_long_night_costs_nothing(tmp_path: Path, broker: str, ledger: str) -> None:
    plan = Plan(seconds=300, seed=11, studies=60, broker=broker, ledger=ledger, calm_s=1200)  # type: ignore[arg-type]
    outcome = run(plan, tmp_path)
    assert outcome.audit.faults == [], told(outcome)
    assert outcome.points.keys() <= set(POINTS)
    assert sum(outcome.kills.values()) + sum(outcome.points.values()) > 50
