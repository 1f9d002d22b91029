"""The first tables, and the secret that seals the lists of this database."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("message_id", sa.Integer(), nullable=False, index=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("outcome", sa.String()),
        sa.Column("detail", sa.Text()),
    )
    op.create_table(
        "flag",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("kept_severity", sa.String()),
        sa.Column("kept_until", sa.Date()),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("opened_run_id", sa.Integer(), nullable=False),
        sa.Column("in_breach_since", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date()),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("held_since", sa.Date()),
        sa.Column("held_why", sa.String()),
        sa.Column("resolved_on", sa.Date()),
        sa.Column("resolved_reason", sa.String()),
        sa.Column("resolved_run_id", sa.Integer()),
        sa.Column("earlier_spells", sa.Integer(), nullable=False),
        sa.Column("last_cleared_on", sa.Date()),
        sa.Column("continues_flag_id", sa.Integer()),
        sa.Column("quarantined_on", sa.Date()),
        sa.Column("released_on", sa.Date()),
        sa.Column("released_by", sa.String()),
    )
    op.create_index("flags_of_person", "flag", ["person_id"])
    op.create_index("flags_resolved", "flag", ["resolved_on"])
    _index_some("one_unresolved_flag", "flag", ["person_id", "rule"], "resolved_on IS NULL")
    op.create_table(
        "flag_event",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("flag_id", sa.Integer()),
        sa.Column("run_id", sa.Integer()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("payload", sa.Text()),
        sa.Column("salt", sa.String()),
        sa.Column("commitment", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
    op.create_index("events_of_flag", "flag_event", ["flag_id"])
    op.create_table(
        "indicator",
        sa.Column("run_id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("team", sa.String(), primary_key=True),
        sa.Column("as_at", sa.Date(), nullable=False, index=True),
        sa.Column("numerator", sa.Integer(), nullable=False),
        sa.Column("denominator", sa.Integer(), nullable=False),
        sa.Column("not_assessed", sa.Integer(), nullable=False),
    )
    op.create_table(
        "message_coming",
        sa.Column("message_id", sa.Integer(), primary_key=True),
        sa.Column("person_id", sa.String(), primary_key=True),
        sa.Column("rule", sa.String(), primary_key=True),
        sa.Column("opens_on", sa.Date(), nullable=False),
    )
    op.create_table(
        "measure",
        sa.Column("run_id", sa.Integer(), primary_key=True),
        sa.Column("rule", sa.String(), primary_key=True),
        sa.Column("team", sa.String(), primary_key=True),
        sa.Column("as_at", sa.Date(), nullable=False, index=True),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("ok", sa.Integer(), nullable=False),
        sa.Column("breach", sa.Integer(), nullable=False),
        sa.Column("cannot_assess", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("waived", sa.Integer(), nullable=False),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("people", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("holds", sa.String()),
        sa.Column("due_at", sa.DateTime()),
        sa.Column("accepted_at", sa.DateTime()),
        sa.Column("next_attempt_at", sa.DateTime()),
        sa.Column("doubtful_since", sa.DateTime()),
        sa.Column("reported_at", sa.DateTime()),
        sa.Column("receipt", sa.String()),
        sa.Column("attached", sa.Text()),
        sa.Column("trouble", sa.Text()),
        sa.UniqueConstraint("key"),
    )
    op.create_index("messages_by_state", "message", ["state"])
    op.create_index("messages_of_recipient", "message", ["recipient", "as_at"])
    op.create_table(
        "message_flag",
        sa.Column("message_id", sa.Integer(), primary_key=True),
        sa.Column("flag_id", sa.Integer(), primary_key=True),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
    )
    op.create_index("messages_of_flag", "message_flag", ["flag_id"])
    op.create_table(
        "person",
        sa.Column("person_id", sa.String(), primary_key=True),
        sa.Column("date_of_birth", sa.Date()),
        sa.Column("strongest_category", sa.String()),
        sa.Column("team", sa.String()),
        sa.Column("accommodation", sa.String()),
        sa.Column("accommodation_since", sa.Date()),
        sa.Column("previous_accommodation", sa.String()),
        sa.Column("previous_since", sa.Date()),
        sa.Column("last_values", sa.Text(), nullable=False),
        sa.Column("values_fingerprint", sa.String(), nullable=False),
        sa.Column("first_seen_on", sa.Date(), nullable=False),
        sa.Column("absent_since", sa.Date(), index=True),
        sa.Column("died_on", sa.Date()),
        sa.Column("alive_again_on", sa.Date()),
        sa.Column("ended_on", sa.Date()),
        sa.Column("left_reason", sa.String()),
    )
    op.create_table(
        "person_before",
        sa.Column("person_id", sa.String(), primary_key=True),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.Text()),
    )
    op.create_table(
        "profile",
        sa.Column("run_id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("as_at", sa.Date(), nullable=False, index=True),
        sa.Column("value", sa.Float(), nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("as_at", sa.Date(), nullable=False, index=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("source_fingerprint", sa.String()),
        sa.Column("rules_fingerprint", sa.String()),
        sa.Column("rule_meanings", sa.Text()),
        sa.Column("rule_wordings", sa.Text()),
        sa.Column("supplied", sa.Text()),
        sa.Column("not_believed", sa.Text()),
        sa.Column("people", sa.Integer()),
        sa.Column("absent", sa.Integer()),
        sa.Column("snapshot", sa.String()),
        sa.Column("snapshot_sha256", sa.String()),
        sa.Column("reason", sa.Text()),
        sa.Column("by", sa.String()),
        sa.Column("corrects", sa.Integer()),
        sa.Column("verdict", sa.String()),
        sa.Column("doubts", sa.Text()),
        sa.Column("extracted_on", sa.Date()),
        sa.Column("asked_on", sa.Date()),
        sa.Column("failed_rules", sa.Text()),
    )
    _index_some("one_accepted_run_per_date", "run", ["as_at"], "state = 'accepted'")
    op.create_table(
        "waiver",
        sa.Column("id", sa.Integer(), primary_key=True),
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
    )
    _index_some("one_waiver_in_force", "waiver", ["person_id", "rule"], "ended_on IS NULL")
    op.create_index("waivers_of_flag", "waiver", ["flag_id"])
    op.create_table(
        "answer",
        sa.Column("id", sa.Integer(), primary_key=True),
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
    )
    op.create_index("one_answer_a_list", "answer", ["flag_id", "list_as_at"], unique=True)
    op.create_index("answers_of_file", "answer", ["file_sha256"])
    seal = op.create_table(
        "seal", sa.Column("name", sa.String(), primary_key=True), sa.Column("secret", sa.String(), nullable=False)
    )
    op.bulk_insert(seal, [{"name": "lists", "secret": secrets.token_hex(32)}])
    op.create_table(
        "escalation",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("flag_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("team", sa.String()),
        sa.Column("recipient", sa.String()),
        sa.Column("instead", sa.String()),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("working_days", sa.Integer(), nullable=False),
    )
    op.create_index("one_escalation_per_step", "escalation", ["flag_id", "step"], unique=True)
    op.create_index("escalations_of_night", "escalation", ["as_at"])
    op.create_table(
        "message_escalation",
        sa.Column("message_id", sa.Integer(), primary_key=True),
        sa.Column("escalation_id", sa.Integer(), primary_key=True),
    )
    op.create_index("messages_of_escalation", "message_escalation", ["escalation_id"])
    op.create_table(
        "holder",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "removal",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("as_at", sa.Date(), nullable=False, index=True),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("by", sa.String()),
        sa.Column("reason", sa.Text()),
        sa.Column("removed", sa.Text(), nullable=False),
        sa.Column("nights", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
    )
    op.create_table(
        "removed_person",
        sa.Column("removal_id", sa.Integer(), primary_key=True),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("removed_on", sa.Date(), nullable=False),
        sa.Column("person_id", sa.String(), index=True),
        sa.Column("back_on", sa.Date()),
        sa.Column("back_in", sa.String()),
    )


def _index_some(name: str, table: str, columns: list[str], where: str) -> None:
    """Let the rows of a table that ``where`` chooses differ in these columns."""
    chosen = sa.text(where)
    op.create_index(name, table, columns, unique=True, sqlite_where=chosen, postgresql_where=chosen)
