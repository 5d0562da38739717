"""What is known of patients' treatment and what readers decided: rows that are added and never changed."""

import sqlalchemy as sa
from alembic import op

revision = "v0006_clinical"
down_revision = "v0005_priority"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FOR_GOOD = ("clinical_entry", "reading", "reading_undone")


def upgrade() -> None:
    """Make the tables, and guard those that hold history."""
    op.create_table(
        "clinical_entry",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("clinical_entry_patient", "clinical_entry", ["patient_key"], unique=False)
    op.create_table(
        "reading",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("question", sa.String(length=16), nullable=False),
        sa.Column("study", sa.String(length=64), nullable=False),
        sa.Column("lesion", sa.String(length=64), nullable=True),
        sa.Column("answer", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("source_uid", sa.String(length=64), nullable=False),
        sa.Column("case", _ID, nullable=True),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("reading_patient", "reading", ["patient_key"], unique=False)
    op.create_table(
        "reading_undone",
        sa.Column("reading", _ID, autoincrement=False, nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["reading"], ["reading.id"]),
        sa.PrimaryKeyConstraint("reading"),
    )
    op.create_table(
        "reader_report",
        sa.Column("sop_instance", sa.String(length=64), nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("read_at", sa.DateTime(), nullable=True),
        sa.Column("decisions", sa.Integer(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("sop_instance"),
    )
    op.create_index("reader_report_unread", "reader_report", ["read_at"], unique=False)
    op.create_table(
        "reassessment",
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("patient_key"),
    )
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for name in _FOR_GOOD:
        op.execute(
            f"""CREATE TRIGGER {name}_is_not_changed BEFORE UPDATE ON {name}
            BEGIN SELECT RAISE(ABORT, 'what was entered is never changed'); END"""
            if on_sqlite
            else f"""CREATE TRIGGER {name}_is_not_changed BEFORE UPDATE ON {name}
            FOR EACH ROW EXECUTE FUNCTION stays_as_it_is()"""
        )
