"""Each assessment tells when the next scan is due, so that patients can be listed by it."""

import sqlalchemy as sa
from alembic import op

revision = "v0010_due"
down_revision = "v0009_priors"


def upgrade() -> None:
    """Add the window to the assessments; those that were made before have none until they are made again."""
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("due_from", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("due_until", sa.String(length=10), nullable=True))
