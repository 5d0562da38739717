"""The ledger of an earlier release becomes one of this release, and one of a later release is left alone."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from node.adapters import ledger_schema as t
from node.adapters import migrations
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_cohorts import SqlCohorts
from node.adapters.ledger_workflow import SqlWorkflow
from node.adapters.migrate import Form, form, steps, upgrade
from node.errors import ConfigError
from node.ports import Destination, Receipt
from pipelines.cohort.members import Member
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from tests.node.adapters.earlier import fill_as_release_0_1
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, image, images, segmentation

OPENS = "import sys; from node.adapters.ledger import open_engine; open_engine(sys.argv[1])"


def execute(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def form_of(url: str) -> Form:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return form(connection)
    finally:
        engine.dispose()


def test_the_steps_make_the_tables_that_the_code_works_with(database: str) -> None:
    engine = open_engine(database)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "target_metadata": t.metadata},
        )
        assert compare_metadata(context, t.metadata) == []


def test_a_ledger_of_the_first_release_gets_the_same_tables(database: str) -> None:
    fill_as_release_0_1(database)
    engine = open_engine(database)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": t.metadata})
        assert compare_metadata(context, t.metadata) == []


def test_a_ledger_of_the_first_release_that_lacks_a_table_gets_it(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    fill_as_release_0_1(database)
    execute(database, "DROP TABLE verification")
    assert not SqlLedger(open_engine(database), pipeline="test").has_verified("kernels 1")


def test_what_the_first_release_wrote_is_read_and_carried_on(database: str, clock: SetClock) -> None:
    fill_as_release_0_1(database)
    engine = open_engine(database)
    ledger = SqlLedger(engine, pipeline="test")
    reported, rejected = ledger.detail(CaseId(1)), ledger.detail(CaseId(2))
    assert reported is not None
    assert reported.row.state is CaseState.DELIVERED
    assert reported.row.score is not None
    assert reported.row.score.signature == 0.1 + 0.2
    happened = [event.event for event in reported.events]
    assert happened == ["received", "complete", "claimed", "reported", "delivered", "worklist"]
    assert [delivery.commitment for result in reported.results for delivery in result.deliveries] == ["asked"]
    assert [note.code for note in reported.notes] == ["SEG-011"]
    assert rejected is not None
    assert (rejected.row.state, rejected.row.code) == (CaseState.REJECTED, "SEG-001")
    assert [attempt.code for attempt in SqlWorkflow(engine).attempts(CaseId(2))] == ["NET-001"]
    assert ledger.overview(limit=9).conflicts == 1
    # and life goes on where it was
    clock.forward(3600)
    assert ledger.received(image(), file_of(image()), SENDER, at=clock()) is Receipt.DUPLICATE
    late = image(3)
    assert ledger.received(late, file_of(late), SENDER, at=clock()) is Receipt.NEW
    assert ledger.complete(CaseId(1), image().key, "3 slices.", at=clock())
    claim = ledger.claim(CaseId(1), "worker", at=clock(), lease=timedelta(seconds=60))
    assert claim is not None
    assert len(claim.images) == 3
    new = segmentation(9, study=9)
    ledger.received(new, file_of(new), SENDER, at=clock())
    assert ledger.collecting()[-1].case == 3


def test_a_ledger_that_is_up_to_date_is_opened_without_the_tool_that_changes_tables(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    subprocess.run([sys.executable, "-c", OPENS, database], check=True, cwd=Path(__file__).parents[3])
    asks = f"{OPENS}; print('alembic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", asks, database],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "False"


def test_of_processes_that_open_an_old_ledger_together_one_changes_it(database: str) -> None:
    fill_as_release_0_1(database)
    command = [sys.executable, "-c", OPENS, database]
    started = [subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE) for _ in range(3)]
    for process in started:
        assert process.communicate(timeout=120)[1] == b""
        assert process.returncode == 0
    assert form_of(database).up_to_date


def test_of_threads_that_open_old_ledgers_together_each_gets_its_own(tmp_path: Path) -> None:
    databases = [f"sqlite:///{tmp_path / str(number)}.sqlite3" for number in range(6)]
    for database in databases:
        fill_as_release_0_1(database)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(open_engine, databases))
    assert all(form_of(database).up_to_date for database in databases)


def test_a_ledger_of_a_later_release_is_refused_with_what_to_do(database: str) -> None:
    open_engine(database).dispose()
    execute(database, "UPDATE alembic_version SET version_num = 'v9999_of_tomorrow'")
    with pytest.raises(ConfigError, match=rf"LDG-001 .*v9999_of_tomorrow.*{steps()[-1]}.*Install the release"):
        open_engine(database)


def test_a_ledger_with_an_unknown_number_is_refused(database: str) -> None:
    fill_as_release_0_1(database)
    execute(database, "UPDATE schema_version SET version = 1")
    with pytest.raises(ConfigError, match=r"LDG-002 .*schema 1"):
        open_engine(database)


def test_the_first_release_refuses_a_ledger_that_has_been_changed_since(database: str) -> None:
    fill_as_release_0_1(database)
    engine = open_engine(database)
    with engine.connect() as connection:
        # it opens what has a 2 here and nothing else
        assert connection.scalar(text("SELECT max(version) FROM schema_version")) == 3


def test_a_step_that_fails_leaves_the_ledger_as_it_was(database: str) -> None:
    fill_as_release_0_1(database)
    # the second step has nothing to write its number into
    execute(database, "DELETE FROM schema_version")
    execute(database, "ALTER TABLE schema_version RENAME COLUMN version TO other")
    engine = create_engine(database)
    tables = inspect(engine).get_table_names()
    with pytest.raises(Exception, match="version"):
        upgrade(engine)
    assert inspect(engine).get_table_names() == tables
    engine.dispose()


def test_the_steps_are_one_chain_in_the_order_of_their_names() -> None:
    scripts = ScriptDirectory(next(iter(migrations.__path__)))
    chain = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(chain)) == steps()
    assert all(len(name) <= 32 for name in steps()), "alembic keeps no more than 32 characters"
    assert [int(name[1:5]) for name in steps()] == list(range(1, len(steps()) + 1))


def test_results_of_a_case_of_the_first_release_can_be_sent_again(database: str, clock: SetClock) -> None:
    fill_as_release_0_1(database)
    ledger = SqlLedger(open_engine(database), pipeline="test")
    assert ledger.resend(CaseId(1), Destination("OTHER"), at=clock()) == 1
    assert ledger.received(images(1)[0], file_of(image(), "x"), SENDER, at=clock()) is Receipt.CONFLICT


def test_a_ledger_of_the_first_release_can_hold_cohorts(database: str, clock: SetClock) -> None:
    fill_as_release_0_1(database)
    cohorts = SqlCohorts(open_engine(database))
    assert cohorts.put("nsclc", [Member("ab" * 32, {"response": "PR"})], at=clock()) == 1
    assert cohorts.names() == {"nsclc": 1}
    assert cohorts.members("nsclc")[0].outcome == "PR"
