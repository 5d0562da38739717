"""The scans of a patient are kept with their lesions, so that they can be compared over time."""

import sqlalchemy as sa
from alembic import op

revision = "v0007_time_points"
down_revision = "v0006_clinical"


def upgrade() -> None:
    """Make the tables of scans, of how they lie to each other, and of what was said of them."""
    op.create_table(
        "placement",
        sa.Column("fixed", sa.String(length=64), nullable=False),
        sa.Column("moving", sa.String(length=64), nullable=False),
        sa.Column("rotation", sa.JSON(), nullable=False),
        sa.Column("shift_mm", sa.JSON(), nullable=False),
        sa.Column("correlation", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("fixed", "moving"),
    )
    op.create_table(
        "assessment",
        sa.Column("case", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("inputs", sa.String(length=64), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("report_uid", sa.String(length=64), nullable=True),
        sa.Column("predecessor", sa.JSON(), nullable=True),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case"],
            ["case.id"],
        ),
        sa.PrimaryKeyConstraint("case"),
    )
    op.create_table(
        "time_point",
        sa.Column("case", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("inputs", sa.String(length=64), nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("rejected", sa.JSON(), nullable=True),
        sa.Column("scanned_on", sa.String(length=24), nullable=False),
        sa.Column("ct_study", sa.String(length=64), nullable=False),
        sa.Column("ct_series", sa.String(length=64), nullable=False),
        sa.Column("segmentation", sa.String(length=64), nullable=False),
        sa.Column("frame_of_reference", sa.String(length=64), nullable=False),
        sa.Column("grid", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case"],
            ["case.id"],
        ),
        sa.PrimaryKeyConstraint("case"),
    )
    with op.batch_alter_table("time_point", schema=None) as batch_op:
        batch_op.create_index("time_point_patient", ["patient_key"], unique=False)

    op.create_table(
        "time_point_lesion",
        sa.Column("case", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tracking_id", sa.Text(), nullable=False),
        sa.Column("tracking_uid", sa.String(length=64), nullable=False),
        sa.Column("own_uid", sa.String(length=64), nullable=False),
        sa.Column("organ", sa.String(length=24), nullable=False),
        sa.Column("is_node", sa.Boolean(), nullable=False),
        sa.Column("long_axis", sa.Integer(), nullable=False),
        sa.Column("short_axis", sa.Integer(), nullable=False),
        sa.Column("slice_thickness", sa.Integer(), nullable=True),
        sa.Column("volume_ml", sa.Float(), nullable=False),
        sa.Column("centre_mm", sa.JSON(), nullable=False),
        sa.Column("step_mm", sa.Float(), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("nature", sa.String(length=64), nullable=False),
        sa.Column("voxels", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case"],
            ["time_point.case"],
        ),
        sa.PrimaryKeyConstraint("case", "number"),
    )
