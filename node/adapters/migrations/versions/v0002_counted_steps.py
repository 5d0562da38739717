"""From here on the steps are counted in `alembic_version`.

`schema_version` stays for the release before, which opens only what has the number that it knows.
"""

import sqlalchemy as sa
from alembic import op

revision = "v0002_counted_steps"
down_revision = "v0001_baseline"

_NUMBER = 3


def upgrade() -> None:
    """Keep the release before from opening this ledger."""
    schema = sa.table("schema_version", sa.column("version", sa.Integer))
    op.execute(schema.delete())
    op.execute(schema.insert().values(version=_NUMBER))
