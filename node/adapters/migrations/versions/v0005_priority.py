"""A person can say that a case is urgent, or that it can wait for the night."""

import sqlalchemy as sa
from alembic import op

revision = "v0005_priority"
down_revision = "v0004_retention"


def upgrade() -> None:
    """Note the choice with the case."""
    op.add_column("case", sa.Column("priority", sa.String(length=16), nullable=True))
