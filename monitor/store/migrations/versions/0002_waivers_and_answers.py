"""Waivers and answers."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "waiver",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("flag_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("waived_on", sa.Date(), nullable=False),
        sa.Column("waived_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("answer_id", sa.Integer()),
        sa.Column("ended_on", sa.Date()),
        sa.Column("ended_why", sa.String()),
        sa.Column("ended_by", sa.String()),
        sa.Column("ended_note", sa.Text()),
        sa.Column("ended_run_id", sa.Integer()),
        sa.Column("reopened_on", sa.Date()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "one_waiver_in_force",
        "waiver",
        ["person_id", "rule"],
        unique=True,
        sqlite_where=sa.text("ended_on IS NULL"),
        postgresql_where=sa.text("ended_on IS NULL"),
    )
    op.create_index("waivers_of_flag", "waiver", ["flag_id"], unique=False)
    op.create_table(
        "answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("flag_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("until_on", sa.Date()),
        sa.Column("reason", sa.String()),
        sa.Column("note", sa.Text()),
        sa.Column("list_as_at", sa.Date(), nullable=False),
        sa.Column("file_sha256", sa.String(), nullable=False),
        sa.Column("file_row", sa.Integer(), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=False),
        sa.Column("answered_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("noticed_on", sa.Date()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("one_answer_a_list", "answer", ["flag_id", "list_as_at"], unique=True)
    op.create_index("answers_of_file", "answer", ["file_sha256"], unique=False)
    seal = op.create_table(
        "seal",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.bulk_insert(seal, [{"name": "lists", "secret": secrets.token_hex(32)}])
