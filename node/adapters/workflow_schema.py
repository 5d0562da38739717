"""Tables of the ledger about other applications: commitments, retrievals, orders and refused associations."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from node.adapters.ledger_schema import UtcDateTime, metadata

_UID = String(64)
# SQLite numbers rows by itself only in INTEGER columns
_ID = BigInteger().with_variant(Integer, "sqlite")

commitment = Table(
    "commitment",
    metadata,
    # a delivery is deleted when its object is to be sent anew, and what was promised about it with it
    Column("delivery", _ID, ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("detail", Text, nullable=False),
    Index("commitment_state", "state", "next_at"),
)

commitment_transaction = Table(
    "commitment_transaction",
    metadata,
    Column("transaction_uid", _UID, primary_key=True),
    Column("destination", String(40), nullable=False),
    Column("objects", JSON, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    Column("confirmed", Integer, nullable=False),
    Column("denied", Integer, nullable=False),
)

commitment_duty = Table(
    "commitment_duty",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("requester", String(16), nullable=False),
    Column("transaction_uid", _UID, nullable=False),
    Column("objects", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("requester", "transaction_uid"),
    Index("commitment_duty_due", "state", "next_at"),
)

retrieval = Table(
    "retrieval",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("case", _ID, ForeignKey("case.id"), nullable=False),
    Column("peer", String(40), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("instances", Integer, nullable=False),
    Column("code", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Index("retrieval_case", "case"),
)

order_lookup = Table(
    "order_lookup",
    metadata,
    Column("case", _ID, ForeignKey("case.id"), primary_key=True),
    Column("inputs_digest", String(64), nullable=False),
    Column("path", Text),
    Column("size", BigInteger),
    Column("sha256", String(64)),
    Column("detail", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

refused_association = Table(
    "refused_association",
    metadata,
    Column("calling_ae_title", String(16), primary_key=True),
    Column("called_ae_title", String(16), primary_key=True),
    Column("address", String(64), primary_key=True),
    Column("why", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Index("refused_association_last", "last_at"),
)
