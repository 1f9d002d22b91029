"""Which rules could open flags for the first time on a night: what they opened then is backlog.

Of the nights before, only the first is known to be one: it follows from its date.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("begun_rules", sa.Text()))
