"""Write the next step of the ledger's tables: `python -m tests.next_migration NAME`.

It compares the tables that the code works with to those that the steps make, on an empty database, and writes what is
missing into a file of `node/adapters/migrations/versions`. Read it before you commit it.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import Engine, TypeDecorator

from node.adapters import cohort_schema, ledger_schema  # noqa: F401  the tables of cohorts stand in the same metadata
from node.adapters.ledger import open_engine
from node.adapters.migrate import steps

FOLDER: Final = Path(__file__).parents[1] / "node" / "adapters" / "migrations" / "versions"
_FILE: Final = '''"""SAY WHAT CHANGES AND WHY."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    """SAY IT IN SHORT."""
{body}
'''


def missing(engine: Engine) -> str:
    """Statements that make of the tables of `engine` those that the code works with."""
    with engine.connect() as connection:
        options = {"target_metadata": ledger_schema.metadata, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        found = produce_migrations(context, ledger_schema.metadata).upgrade_ops
    assert found is not None
    return render_python_code(found, render_as_batch=True, render_item=_plain)


def _plain(kind: str, what: Any, _: object) -> str | Literal[False]:
    """A step must not change when our own types do."""
    return "sa.DateTime()" if kind == "type" and isinstance(what, TypeDecorator) else False


def main() -> int:
    """Write the file, or tell that nothing has changed."""
    parser = argparse.ArgumentParser(prog="python -m tests.next_migration", description=__doc__)
    parser.add_argument("name", help="what changes, in a few words joined by _")
    name: str = parser.parse_args().name
    with tempfile.TemporaryDirectory() as folder:
        body = missing(open_engine(f"sqlite:///{folder}/ledger.sqlite3"))
    if not any(line.strip().startswith(("op.", "with ")) for line in body.splitlines()):
        sys.stdout.write("The steps make the tables that the code works with.\n")
        return 1
    before = steps()[-1]
    revision = f"v{int(before[1:5]) + 1:04d}_{name}"
    lines = [line for line in body.splitlines() if not line.lstrip().startswith("#")]
    path = FOLDER / f"{revision}.py"
    indented = "\n".join(line if line.startswith("    ") or not line else f"    {line}" for line in lines)
    path.write_text(_FILE.format(revision=revision, before=before, body=indented), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", path], check=True)
    sys.stdout.write(f"{path} written: say in it what changes, and read it.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
