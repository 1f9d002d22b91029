"""What was removed, and that it was."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("by", sa.String()),
        sa.Column("reason", sa.Text()),
        sa.Column("removed", sa.Text(), nullable=False),
        sa.Column("nights", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_removal_as_at"), "removal", ["as_at"], unique=False)
    op.create_table(
        "removed_person",
        sa.Column("removal_id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("removed_on", sa.Date(), nullable=False),
        sa.Column("person_id", sa.String()),
        sa.Column("back_on", sa.Date()),
        sa.Column("back_in", sa.String()),
        sa.PrimaryKeyConstraint("removal_id"),
    )
    op.create_index(op.f("ix_removed_person_person_id"), "removed_person", ["person_id"], unique=False)
