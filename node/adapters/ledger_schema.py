"""Tables of the ledger."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcDateTime(TypeDecorator[datetime]):
    """Points in time with zone; stored in UTC, since SQLite keeps no zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()
_UID = String(64)
# SQLite numbers rows by itself only in INTEGER columns
_ID = BigInteger().with_variant(Integer, "sqlite")

# frozen: the steps of `node.adapters.migrations` are counted elsewhere, and this tells older releases to keep off
schema = Table("schema_version", metadata, Column("version", Integer, nullable=False))

instance = Table(
    "instance",
    metadata,
    Column("sop_instance", _UID, primary_key=True),
    Column("sop_class", _UID, nullable=False),
    Column("study", _UID, nullable=False),
    Column("series", _UID, nullable=False),
    Column("transfer_syntax", _UID, nullable=False),
    Column("patient_key", String(64), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("frame_of_reference", _UID),
    Column("frames", Integer, nullable=False),
    Column("position_mm", JSON),
    Column("orientation", JSON),
    Column("localizer", Boolean, nullable=False),
    Column("original", Boolean, nullable=False),
    Column("frame_positions_mm", JSON, nullable=False),
    Column("referenced_series", JSON, nullable=False),
    Column("referenced_instances", JSON, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("calling_ae_title", String(16), nullable=False),
    Column("called_ae_title", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    # when the file was given up; the row stays, so that the instance is known when it comes again
    Column("released_at", UtcDateTime),
    Index("instance_series", "series"),
    Index("instance_study", "study"),
    Index("instance_path", "path"),
)

conflict = Table(
    "conflict",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("sop_instance", _UID, nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("calling_ae_title", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    UniqueConstraint("sop_instance", "sha256"),
)

refusal = Table(
    "refusal",
    metadata,
    Column("calling_ae_title", String(16), primary_key=True),
    Column("code", String(16), primary_key=True),
    Column("times", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("last_detail", Text, nullable=False),
)

case = Table(
    "case",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("pipeline", String(64), nullable=False),
    Column("segmentation", _UID, ForeignKey("instance.sop_instance"), nullable=False),
    Column("study", _UID, nullable=False),
    Column("ct_study", _UID),
    Column("ct_series", _UID),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("code", String(16), nullable=False),
    Column("remedy", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", String(128)),
    Column("lease_until", UtcDateTime),
    Column("next_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("completed_at", UtcDateTime),
    Column("inputs_seen", String(64)),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("score", JSON),
    Column("notes", JSON),
    UniqueConstraint("segmentation", "pipeline"),
    # what a person chose; without it the sender decides
    Column("priority", String(16)),
    Index("case_state", "state"),
    Index("case_ct_series", "ct_series"),
    # a number is never given twice, also after its case was deleted
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("case", _ID, ForeignKey("case.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("event", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Index("event_case", "case"),
)

measurement = Table(
    "measurement",
    metadata,
    Column("case", _ID, ForeignKey("case.id"), primary_key=True),
    Column("lesion_number", Integer, primary_key=True),
    Column("tracking_uid", _UID, nullable=False),
    Column("volume_ml", Float, nullable=False),
    Column("features", JSON, nullable=False),
    Column("rejected", JSON),
)

# without a foreign key: that a version has been verified outlives a new run of the case that it was verified with
verification = Table(
    "verification",
    metadata,
    Column("case", _ID, primary_key=True, autoincrement=False),
    Column("inputs", String(64), primary_key=True),
    Column("software_sha256", String(64), primary_key=True),
    Column("software", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("why", Text, nullable=False),
    Column("compared", Integer, nullable=False),
    Column("lesions", JSON, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("verification_software", "software_sha256"),
)

result = Table(
    "result",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("case", _ID, ForeignKey("case.id"), nullable=False),
    Column("current", Boolean, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("lesion_number", Integer),
    Column("sop_class", _UID, nullable=False),
    Column("sop_instance", _UID, nullable=False),
    Column("series", _UID, nullable=False),
    Column("transfer_syntax", _UID, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("released_at", UtcDateTime),
    UniqueConstraint("case", "sop_instance"),
    Index("result_path", "path"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("result", _ID, ForeignKey("result.id"), nullable=False),
    Column("case", _ID, ForeignKey("case.id"), nullable=False),
    Column("destination", String(40), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Integer),
    Column("detail", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    UniqueConstraint("result", "destination"),
    Index("delivery_due", "destination", "state", "next_at"),
    Index("delivery_case", "case"),
)

procedure_step = Table(
    "procedure_step",
    metadata,
    Column("sop_instance", _UID, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("transaction_uid", _UID, nullable=False),
    Column("performer", String(16), nullable=False),
    Column("dataset", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("procedure_step_state", "state"),
)

step_subscription = Table(
    "step_subscription",
    metadata,
    Column("receiving_ae_title", String(16), primary_key=True),
    # the UID of a step, or the well-known UID that stands for all of them
    Column("sop_instance", _UID, primary_key=True),
)

step_event = Table(
    "step_event",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("receiving_ae_title", String(16), nullable=False),
    Column("sop_instance", _UID, nullable=False),
    Column("event_type", Integer, nullable=False),
    Column("dataset", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Index("step_event_due", "next_at"),
)

step_task = Table(
    "step_task",
    metadata,
    # where the step is kept: the name of a peer, empty for the node itself
    Column("board", String(40), primary_key=True),
    Column("sop_instance", _UID, primary_key=True),
    Column("transaction_uid", _UID, nullable=False),
    Column("state", String(16), nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("case", _ID, ForeignKey("case.id")),
    Column("progress", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("step_task_state", "state"),
)
