"""A migration of a version to come, for the tests of upgrading: a column that is filled, and a table."""

import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "NEWEST"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("opened_at", sa.DateTime()))
    op.execute("UPDATE message SET opened_at = accepted_at")
    op.create_table("visit", sa.Column("id", sa.Integer(), nullable=False), sa.PrimaryKeyConstraint("id"))
