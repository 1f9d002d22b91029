"""How each flag stood before the last accepted night, and which flags carry which on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flag_before",
        sa.Column("flag_id", sa.Integer(), primary_key=True),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
    )
    op.create_table(
        "flag_carried",
        sa.Column("flag_id", sa.Integer(), primary_key=True),
        sa.Column("heir_flag_id", sa.Integer(), primary_key=True),
        sa.Column("carried_on", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("heir_row", sa.Text()),
        sa.Column("undone_run_id", sa.Integer()),
    )
    op.create_index("flags_carried_by", "flag_carried", ["heir_flag_id"])
    op.execute("""
        INSERT INTO flag_carried (flag_id, heir_flag_id, carried_on, run_id)
        SELECT earlier.id, heir.id, coalesce(earlier.resolved_on, heir.opened_on), heir.opened_run_id
        FROM flag AS heir JOIN flag AS earlier ON earlier.id = heir.continues_flag_id
    """)
