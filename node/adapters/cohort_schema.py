"""Tables of the ledger about cohorts: which patients belong to one, and what is known of them."""

from sqlalchemy import JSON, Column, ForeignKey, Index, String, Table

from node.adapters.ledger_schema import UtcDateTime, metadata

cohort = Table(
    "cohort",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)

cohort_member = Table(
    "cohort_member",
    metadata,
    Column("cohort", String(64), ForeignKey("cohort.name"), primary_key=True),
    # as in `instance`: a digest, never the identifier itself
    Column("patient_key", String(64), primary_key=True),
    Column("facts", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("cohort_member_patient", "patient_key"),
)
