"""When an accepted night was taken back, by whom and why."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("withdrawn_at", sa.DateTime()))
    op.add_column("run", sa.Column("withdrawn_by", sa.String()))
    op.add_column("run", sa.Column("withdrawn_why", sa.Text()))
