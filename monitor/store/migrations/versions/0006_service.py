"""Which rules failed on a night, for whoever asks how the last one went."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("failed_rules", sa.Text(), nullable=True))
