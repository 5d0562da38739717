"""Tables of the ledger about what has been given up: cases that were deleted, and files that are to be removed."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from node.adapters.ledger_schema import UtcDateTime, metadata

# SQLite numbers rows by itself only in INTEGER columns
_ID = BigInteger().with_variant(Integer, "sqlite")

erasure = Table(
    "erasure",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    # without a foreign key: it outlives the case
    Column("case", _ID, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("why", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Index("erasure_case", "case"),
)

removal = Table(
    "removal",
    metadata,
    # whoever needs a file of that name again takes the line away
    Column("path", Text, primary_key=True),
    # the case that might make the file anew; None for what was received
    Column("case", _ID),
    Column("at", UtcDateTime, nullable=False),
)
