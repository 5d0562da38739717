"""Tables of the ledger about patients' scans over time, and about what was said of them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from node.adapters.ledger_schema import UtcDateTime, metadata

_UID = String(64)
# SQLite numbers rows by itself only in INTEGER columns
_ID = BigInteger().with_variant(Integer, "sqlite")

time_point = Table(
    "time_point",
    metadata,
    Column("case", _ID, ForeignKey("case.id"), primary_key=True, autoincrement=False),
    Column("inputs", String(64), nullable=False),
    Column("patient_key", String(64), nullable=False),
    # why the case is no time point; then the rest is empty
    Column("rejected", JSON),
    Column("scanned_on", String(24), nullable=False),
    Column("ct_study", _UID, nullable=False),
    Column("ct_series", _UID, nullable=False),
    Column("segmentation", _UID, nullable=False),
    Column("frame_of_reference", String(64), nullable=False),
    Column("grid", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("time_point_patient", "patient_key"),
)

time_point_lesion = Table(
    "time_point_lesion",
    metadata,
    Column("case", _ID, ForeignKey("time_point.case"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tracking_id", Text, nullable=False),
    Column("tracking_uid", _UID, nullable=False),
    Column("own_uid", _UID, nullable=False),
    Column("organ", String(24), nullable=False),
    Column("is_node", Boolean, nullable=False),
    # lengths in tenths of a millimetre
    Column("long_axis", Integer, nullable=False),
    Column("short_axis", Integer, nullable=False),
    Column("slice_thickness", Integer),
    Column("volume_ml", Float, nullable=False),
    Column("centre_mm", JSON, nullable=False),
    Column("step_mm", Float, nullable=False),
    Column("modality", String(16), nullable=False),
    Column("nature", String(64), nullable=False),
    # its voxels: the place of the box around them, and compressed bits
    Column("voxels", LargeBinary, nullable=False),
)

placement = Table(
    "placement",
    metadata,
    # digests of the two scans: the same CTs always lie to each other in the same way
    Column("fixed", String(64), primary_key=True),
    Column("moving", String(64), primary_key=True),
    Column("rotation", JSON, nullable=False),
    Column("shift_mm", JSON, nullable=False),
    Column("correlation", Float),
)

assessment = Table(
    "assessment",
    metadata,
    Column("case", _ID, ForeignKey("case.id"), primary_key=True, autoincrement=False),
    Column("label", String(32), nullable=False),
    Column("inputs", String(64), nullable=False),
    Column("lines", JSON, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("report", JSON),
    Column("report_uid", _UID),
    Column("predecessor", JSON),
    Column("made_at", UtcDateTime, nullable=False),
    # ISO 8601, as the window of the next scan is a matter of days
    Column("due_from", String(10)),
    Column("due_until", String(10)),
)
