"""Tables of the ledger about patients' treatment and readers' decisions; rows are added to them and never changed."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from node.adapters.ledger_schema import UtcDateTime, metadata

_UID = String(64)
# SQLite numbers rows by itself only in INTEGER columns
_ID = BigInteger().with_variant(Integer, "sqlite")

clinical_entry = Table(
    "clinical_entry",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("patient_key", String(64), nullable=False),
    Column("name", String(40), nullable=False),
    Column("number", Integer, nullable=False),
    Column("value", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("who", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("clinical_entry_patient", "patient_key"),
)

# the number of the case is kept without a foreign key: what a reader said of a patient outlives a case
reading = Table(
    "reading",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("patient_key", String(64), nullable=False),
    Column("question", String(16), nullable=False),
    Column("study", _UID, nullable=False),
    Column("lesion", _UID),
    Column("answer", String(64), nullable=False),
    Column("source", String(16), nullable=False),
    Column("source_uid", _UID, nullable=False),
    Column("case", _ID),
    Column("who", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("reading_patient", "patient_key"),
)

reading_undone = Table(
    "reading_undone",
    metadata,
    Column("reading", _ID, ForeignKey("reading.id"), primary_key=True, autoincrement=False),
    Column("who", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# a line is made in the moment in which the report is received, so that nobody has to look through all instances
reader_report = Table(
    "reader_report",
    metadata,
    Column("sop_instance", _UID, primary_key=True),
    Column("patient_key", String(64), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("read_at", UtcDateTime),
    Column("decisions", Integer),
    Column("notes", JSON),
    Index("reader_report_unread", "read_at"),
)

reassessment = Table(
    "reassessment",
    metadata,
    # whoever takes a line does so before he reads what it is about, lest he miss what comes meanwhile
    Column("patient_key", String(64), primary_key=True),
    Column("asked_at", UtcDateTime, nullable=False),
)
