"""Tables of the ledger about earlier studies that were fetched from an archive."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from node.adapters.ledger_schema import UtcDateTime, metadata

_UID = String(64)
# SQLite numbers rows by itself only in INTEGER columns
_ID = BigInteger().with_variant(Integer, "sqlite")

prior_search = Table(
    "prior_search",
    metadata,
    Column("case", _ID, ForeignKey("case.id"), primary_key=True, autoincrement=False),
    Column("attempts", Integer, nullable=False),
    # when to look again; empty when the search has ended
    Column("again_at", UtcDateTime),
    Column("detail", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

prior_study = Table(
    "prior_study",
    metadata,
    Column("study", _UID, primary_key=True),
    Column("patient_key", String(64), nullable=False),
    Column("peer", String(40), nullable=False),
    Column("reported", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("prior_study_patient", "patient_key"),
)

# a visit of which there are measurements in a Structured Report and no segmentation
prior_report = Table(
    "prior_report",
    metadata,
    Column("study", _UID, ForeignKey("prior_study.study"), primary_key=True),
    Column("series", _UID, nullable=False),
    Column("report", _UID, nullable=False),
    Column("patient_key", String(64), nullable=False),
    Column("scanned_on", String(24), nullable=False),
    Column("lesions", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("prior_report_patient", "patient_key"),
)
