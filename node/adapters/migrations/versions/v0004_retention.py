"""Files can be given up while the ledger still knows of them, and are removed in two steps that a crash cannot part."""

import sqlalchemy as sa
from alembic import op

revision = "v0004_retention"
down_revision = "v0003_events_for_good"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the list of files to remove, and note which are given up."""
    op.create_table(
        "removal",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("case", _ID, nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.add_column("instance", sa.Column("released_at", sa.DateTime(), nullable=True))
    op.add_column("result", sa.Column("released_at", sa.DateTime(), nullable=True))
    # whoever compares the disk with the ledger asks for each file
    op.create_index("instance_path", "instance", ["path"], unique=False)
    op.create_index("result_path", "result", ["path"], unique=False)
