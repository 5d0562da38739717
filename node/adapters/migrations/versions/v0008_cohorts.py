"""Patients can be put together into cohorts, with what is known of their therapy, response and disease."""

import sqlalchemy as sa
from alembic import op

revision = "v0008_cohorts"
down_revision = "v0007_time_points"


def upgrade() -> None:
    """Make the tables of cohorts."""
    op.create_table(
        "cohort",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "cohort_member",
        sa.Column("cohort", sa.String(length=64), nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["cohort"], ["cohort.name"]),
        sa.PrimaryKeyConstraint("cohort", "patient_key"),
    )
    op.create_index("cohort_member_patient", "cohort_member", ["patient_key"], unique=False)
