"""Earlier studies of a patient can be fetched from an archive as time points."""

import sqlalchemy as sa
from alembic import op

revision = "v0009_priors"
down_revision = "v0008_cohorts"


def upgrade() -> None:
    """Make the tables of searches, of the studies that were fetched, and of what reports told of them."""
    op.create_table(
        "prior_search",
        sa.Column("case", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("again_at", sa.DateTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["case.id"]),
        sa.PrimaryKeyConstraint("case"),
    )
    op.create_table(
        "prior_study",
        sa.Column("study", sa.String(length=64), nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("peer", sa.String(length=40), nullable=False),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("study"),
    )
    op.create_index("prior_study_patient", "prior_study", ["patient_key"], unique=False)
    op.create_table(
        "prior_report",
        sa.Column("study", sa.String(length=64), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("report", sa.String(length=64), nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("scanned_on", sa.String(length=24), nullable=False),
        sa.Column("lesions", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["prior_study.study"]),
        sa.PrimaryKeyConstraint("study"),
    )
    op.create_index("prior_report_patient", "prior_report", ["patient_key"], unique=False)
