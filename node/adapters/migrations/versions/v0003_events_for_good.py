"""The history of a case can be added to and read; it goes only with the whole case, which leaves a line in `erasure`.

Cases get numbers that are never given again, since a line in `erasure` tells about one number for good.
"""

import sqlalchemy as sa
from alembic import op

revision = "v0003_events_for_good"
down_revision = "v0002_counted_steps"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_SQLITE = (
    """CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
       BEGIN SELECT RAISE(ABORT, 'the history of a case is never changed'); END""",
    """CREATE TRIGGER event_goes_with_its_case BEFORE DELETE ON event
       WHEN NOT EXISTS (SELECT 1 FROM erasure WHERE erasure."case" = OLD."case")
       BEGIN SELECT RAISE(ABORT, 'the history of a case goes only with the case'); END""",
    """CREATE TRIGGER erasure_is_not_changed BEFORE UPDATE ON erasure
       BEGIN SELECT RAISE(ABORT, 'an erasure is never changed'); END""",
    """CREATE TRIGGER erasure_stays BEFORE DELETE ON erasure
       BEGIN SELECT RAISE(ABORT, 'an erasure is never deleted'); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION stays_as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION '% of table % is refused: what happened is never changed', TG_OP, TG_TABLE_NAME; END $$""",
    """CREATE FUNCTION goes_with_its_case() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF NOT EXISTS (SELECT 1 FROM erasure WHERE erasure."case" = OLD."case") THEN
           RAISE EXCEPTION 'the history of a case goes only with the case';
         END IF;
         RETURN OLD;
       END $$""",
    """CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
       FOR EACH ROW EXECUTE FUNCTION stays_as_it_is()""",
    """CREATE TRIGGER event_is_not_emptied BEFORE TRUNCATE ON event
       FOR EACH STATEMENT EXECUTE FUNCTION stays_as_it_is()""",
    """CREATE TRIGGER event_goes_with_its_case BEFORE DELETE ON event
       FOR EACH ROW EXECUTE FUNCTION goes_with_its_case()""",
    """CREATE TRIGGER erasure_stays BEFORE UPDATE OR DELETE ON erasure
       FOR EACH ROW EXECUTE FUNCTION stays_as_it_is()""",
    """CREATE TRIGGER erasure_is_not_emptied BEFORE TRUNCATE ON erasure
       FOR EACH STATEMENT EXECUTE FUNCTION stays_as_it_is()""",
)


def upgrade() -> None:
    """Make the table of erasures and what guards the history."""
    op.create_table(
        "erasure",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("case", _ID, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("erasure_case", "erasure", ["case"], unique=False)
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    if on_sqlite:
        with op.batch_alter_table("case", recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
    for statement in _SQLITE if on_sqlite else _POSTGRESQL:
        op.execute(statement)
