"""When messages are due, and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("due_at", "accepted_at", "next_attempt_at", "doubtful_since", "reported_at"):
        op.add_column("message", sa.Column(name, sa.DateTime()))
    op.add_column("message", sa.Column("receipt", sa.String()))
    for name in ("attached", "trouble"):
        op.add_column("message", sa.Column(name, sa.Text()))
    op.execute("UPDATE message SET due_at = created_at")
    op.execute("UPDATE message SET accepted_at = created_at WHERE state = 'delivered'")
