"""Escalation: what went above a team's lead, which message told of it, and what each message holds."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "escalation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("flag_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("team", sa.String()),
        sa.Column("recipient", sa.String()),
        sa.Column("instead", sa.String()),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("working_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("one_escalation_per_step", "escalation", ["flag_id", "step"], unique=True)
    op.create_index("escalations_of_night", "escalation", ["as_at"], unique=False)
    op.create_table(
        "message_escalation",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("escalation_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "escalation_id"),
    )
    op.create_index("messages_of_escalation", "message_escalation", ["escalation_id"], unique=False)
    op.add_column("message", sa.Column("holds", sa.String()))
