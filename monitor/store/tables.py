"""The tables: what the monitor remembers.

Row classes describe tables only (SQLModel does not validate them): values are made by the modules that
decide. Instants are UTC; days are dates.
"""

import datetime as dt
from typing import Any, TypeVar

from sqlalchemy import Connection, DateTime, Index, Select, Table, Text, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class Instant(TypeDecorator[dt.datetime]):
    """A moment in UTC, stored without its offset so that every database keeps it alike."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        return value.astimezone(dt.UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        return value.replace(tzinfo=dt.UTC) if value else None


def _one_where(name: str, *columns: str, where: str) -> Index:
    """Return the index that lets no two of the rows that ``where`` chooses be alike in these columns.

    Only the migration says it in PostgreSQL's words too: here they would import its dialect for every command.
    """
    return Index(name, *columns, unique=True, sqlite_where=text(where))


class Run(SQLModel, table=True):
    """One night. ``state``: running, accepted, superseded (by a correction), withdrawn, refused, failed.

    ``verdict``: what the gate said (trusted, degraded, stale, refused); ``doubts``: why, as a JSON list;
    ``extracted_on``: the date of the sources; ``asked_on``: the date the rules were asked as at, earlier than
    ``as_at`` where the sources are stale; ``failed_rules``: those that failed while running, as a JSON list;
    ``begun_rules``: those that could open flags for the first time as they were asked, as a JSON list, NULL for none.
    """

    __tablename__ = "run"
    __table_args__ = (_one_where("one_accepted_run_per_date", "as_at", where="state = 'accepted'"),)

    id: int = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    state: str
    started_at: dt.datetime = Field(sa_type=Instant)
    finished_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    source_fingerprint: str | None = None
    rules_fingerprint: str | None = None
    rule_meanings: str | None = Field(default=None, sa_type=Text)
    rule_wordings: str | None = Field(default=None, sa_type=Text)
    supplied: str | None = Field(default=None, sa_type=Text)
    not_believed: str | None = Field(default=None, sa_type=Text)
    people: int | None = None
    absent: int | None = None
    snapshot: str | None = None
    snapshot_sha256: str | None = None
    reason: str | None = Field(default=None, sa_type=Text)
    by: str | None = None
    corrects: int | None = None
    verdict: str | None = None
    doubts: str | None = Field(default=None, sa_type=Text)
    extracted_on: dt.date | None = None
    asked_on: dt.date | None = None
    failed_rules: str | None = Field(default=None, sa_type=Text)
    begun_rules: str | None = Field(default=None, sa_type=Text)
    withdrawn_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    withdrawn_by: str | None = None
    withdrawn_why: str | None = Field(default=None, sa_type=Text)


class Profile(SQLModel, table=True):
    """What an accepted night looked like, in figures that later nights are compared with; of nobody in particular."""

    __tablename__ = "profile"

    run_id: int = Field(primary_key=True)
    name: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    value: float


class Person(SQLModel, table=True):
    """The roster: everyone ever accepted, until dead or 25.

    ``alive_again_on``: since when the records say alive of someone recorded as died, and nobody has confirmed it.
    """

    __tablename__ = "person"

    person_id: str = Field(primary_key=True)
    date_of_birth: dt.date | None = None
    strongest_category: str | None = None
    team: str | None = None
    accommodation: str | None = None
    accommodation_since: dt.date | None = None
    previous_accommodation: str | None = None
    previous_since: dt.date | None = None
    last_values: str = Field(sa_type=Text)
    values_fingerprint: str
    first_seen_on: dt.date
    absent_since: dt.date | None = Field(default=None, index=True)
    died_on: dt.date | None = None
    alive_again_on: dt.date | None = None
    ended_on: dt.date | None = None
    left_reason: str | None = None


class PersonBefore(SQLModel, table=True):
    """What a person's roster row was before the last accepted run changed it, so that a correction can start there.

    ``row`` is NULL for someone the run saw for the first time.
    """

    __tablename__ = "person_before"

    person_id: str = Field(primary_key=True)
    run_id: int
    row: str | None = Field(default=None, sa_type=Text)


class Flag(SQLModel, table=True):
    """One spell of one rule being in breach for one person; its state is worked out from its dates."""

    __tablename__ = "flag"
    __table_args__ = (
        _one_where("one_unresolved_flag", "person_id", "rule", where="resolved_on IS NULL"),
        Index("flags_of_person", "person_id"),
        Index("flags_resolved", "resolved_on"),
    )

    id: int = Field(primary_key=True)
    person_id: str
    rule: str
    severity: str
    kept_severity: str | None = None
    kept_until: dt.date | None = None
    opened_on: dt.date
    opened_run_id: int
    in_breach_since: dt.date
    due_on: dt.date | None = None
    because: str = Field(sa_type=Text)
    held_since: dt.date | None = None
    held_why: str | None = None
    resolved_on: dt.date | None = None
    resolved_reason: str | None = None
    resolved_run_id: int | None = None
    earlier_spells: int = 0
    last_cleared_on: dt.date | None = None
    continues_flag_id: int | None = None
    quarantined_on: dt.date | None = None
    released_on: dt.date | None = None
    released_by: str | None = None


class FlagBefore(SQLModel, table=True):
    """What a flag's row was before the last accepted run changed it, so that a correction can start there.

    A flag that a run of the same date opened has none: it was not there.
    """

    __tablename__ = "flag_before"

    flag_id: int = Field(primary_key=True)
    run_id: int
    row: str = Field(sa_type=Text)


class FlagCarried(SQLModel, table=True):
    """A flag that another carries on: through a rule that continues it, or a merged record.

    ``heir_row``: what the heir's own row was before that, where a merged record's flag was laid upon it; NULL where the
    heir was opened to carry it. ``undone_run_id``: the run that found the merge taken back.
    """

    __tablename__ = "flag_carried"
    __table_args__ = (Index("flags_carried_by", "heir_flag_id"),)

    flag_id: int = Field(primary_key=True)
    heir_flag_id: int = Field(primary_key=True)
    carried_on: dt.date
    run_id: int
    heir_row: str | None = Field(default=None, sa_type=Text)
    undone_run_id: int | None = None


class Waiver(SQLModel, table=True):
    """A dated, reasoned, signed decision not to chase one flag; ``flags.waivers`` says how its life goes.

    ``until_on``: the last day it stands. ``ended_why``: ran out, unwaived, or how its flag was resolved;
    ``reopened_on``: the first accepted night that found its flag standing without it. ``answer_id``: the answer on an
    exception list that made it, if one did. ``carries_waiver_id``: the waiver that it repeats for an heir of that flag.
    """

    __tablename__ = "waiver"
    __table_args__ = (
        _one_where("one_waiver_in_force", "person_id", "rule", where="ended_on IS NULL"),
        Index("waivers_of_flag", "flag_id"),
    )

    id: int = Field(primary_key=True)
    flag_id: int
    person_id: str
    rule: str
    reason: str
    note: str = Field(sa_type=Text)
    until_on: dt.date
    waived_on: dt.date
    waived_by: str
    recorded_at: dt.datetime = Field(sa_type=Instant)
    answer_id: int | None = None
    ended_on: dt.date | None = None
    ended_why: str | None = None
    ended_by: str | None = None
    ended_note: str | None = Field(default=None, sa_type=Text)
    ended_run_id: int | None = None
    reopened_on: dt.date | None = None
    carries_waiver_id: int | None = None


class Answer(SQLModel, table=True):
    """What a lead said of one flag on one exception list (``list_as_at``), and the file and row it was read from.

    ``noticed_on``: the first accepted night that knew of it.
    """

    __tablename__ = "answer"
    __table_args__ = (
        Index("one_answer_a_list", "flag_id", "list_as_at", unique=True),
        Index("answers_of_file", "file_sha256"),
    )

    id: int = Field(primary_key=True)
    flag_id: int
    person_id: str
    rule: str
    answer: str
    until_on: dt.date | None = None
    reason: str | None = None
    note: str | None = Field(default=None, sa_type=Text)
    list_as_at: dt.date
    file_sha256: str
    file_row: int
    answered_on: dt.date
    answered_by: str
    recorded_at: dt.datetime = Field(sa_type=Instant)
    noticed_on: dt.date | None = None


class Seal(SQLModel, table=True):
    """A secret of this database, with which what leaves it and comes back is known again."""

    __tablename__ = "seal"

    name: str = Field(primary_key=True)
    secret: str


class FlagEvent(SQLModel, table=True):
    """One change, never altered; ``events`` says how the chain of commitments is made."""

    __tablename__ = "flag_event"
    __table_args__ = (Index("events_of_flag", "flag_id"),)

    id: int = Field(primary_key=True)
    flag_id: int | None = None
    run_id: int | None = None
    kind: str
    as_at: dt.date
    recorded_at: dt.datetime = Field(sa_type=Instant)
    payload: str | None = Field(default=None, sa_type=Text)
    salt: str | None = None
    commitment: str
    hash: str


class Measure(SQLModel, table=True):
    """Per accepted night, rule and team: how many were asked, and what came of it."""

    __tablename__ = "measure"

    run_id: int = Field(primary_key=True)
    rule: str = Field(primary_key=True)
    team: str = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    asked: int
    ok: int
    breach: int
    cannot_assess: int
    held: int
    waived: int


class Message(SQLModel, table=True):
    """One e-mail of the outbox.

    ``state`` uses GOV.UK Notify's words: created, sending (handed over, no final receipt yet), delivered,
    temporary-failure, permanent-failure, technical-failure (nobody knows whether it went); and taken (a mail server has
    it, and tells no more unless it comes back) and replaced (by a later night's before it went). ``people``: the ids of
    everyone it names, as a JSON list. ``due_at``: not sent before.
    ``accepted_at``: when the transport took it. ``next_attempt_at``: when it is tried, or asked about, again.
    ``doubtful_since``: since when it may have gone unnoticed, so that any later copy is marked as a repeat.
    ``receipt``: the transport's own id of it, or the key of the mail of several councils that it goes in. ``attached``:
    the list that travels with it, as CSV. ``trouble``: why it will not arrive, may not have, or must not go;
    ``reported_at``: when somebody was told of that.
    ``answerable``: its cards that can be answered by e-mail, as JSON: number, flag id, and how the flag stood.
    ``holds``: its parts in words (lead, full, manager, summary, analyst), since one message may be several things to
    the same reader.
    """

    __tablename__ = "message"
    __table_args__ = (Index("messages_of_recipient", "recipient", "as_at"), Index("messages_by_state", "state"))

    id: int = Field(primary_key=True)
    key: str = Field(unique=True)
    run_id: int
    as_at: dt.date
    recipient: str
    kind: str
    subject: str
    text: str = Field(sa_type=Text)
    html: str = Field(sa_type=Text)
    people: str = Field(sa_type=Text)
    state: str
    created_at: dt.datetime = Field(sa_type=Instant)
    due_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    accepted_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    next_attempt_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    doubtful_since: dt.datetime | None = Field(default=None, sa_type=Instant)
    receipt: str | None = None
    attached: str | None = Field(default=None, sa_type=Text)
    trouble: str | None = Field(default=None, sa_type=Text)
    reported_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    holds: str | None = None
    answerable: str | None = Field(default=None, sa_type=Text)


class MessageFlag(SQLModel, table=True):
    """A flag that a message reported, by line or by count, and how it stood then."""

    __tablename__ = "message_flag"
    __table_args__ = (Index("messages_of_flag", "flag_id"),)

    message_id: int = Field(primary_key=True)
    flag_id: int = Field(primary_key=True)
    severity: str
    state: str


class MessageComing(SQLModel, table=True):
    """What a message said would come due: a rule for a person, and the day it would open."""

    __tablename__ = "message_coming"

    message_id: int = Field(primary_key=True)
    person_id: str = Field(primary_key=True)
    rule: str = Field(primary_key=True)
    opens_on: dt.date


class Escalation(SQLModel, table=True):
    """A flag taken one step above its team's lead, which happens once for each step.

    ``step``: manager or head. ``recipient``: where it went that night; none where nobody may be told. ``instead``: why
    it went elsewhere than the step says, if it did. ``working_days``: how long it had been open and not paused.
    """

    __tablename__ = "escalation"
    __table_args__ = (
        Index("one_escalation_per_step", "flag_id", "step", unique=True),
        Index("escalations_of_night", "as_at"),
    )

    id: int = Field(primary_key=True)
    flag_id: int
    step: str
    as_at: dt.date
    run_id: int
    team: str | None = None
    recipient: str | None = None
    instead: str | None = None
    severity: str
    working_days: int


class MessageEscalation(SQLModel, table=True):
    """An escalation that a message told of, by line or by count."""

    __tablename__ = "message_escalation"
    __table_args__ = (Index("messages_of_escalation", "escalation_id"),)

    message_id: int = Field(primary_key=True)
    escalation_id: int = Field(primary_key=True)


class Indicator(SQLModel, table=True):
    """Per accepted night, figure and team: so many out of so many, and how many could not be counted either way."""

    __tablename__ = "indicator"

    run_id: int = Field(primary_key=True)
    name: str = Field(primary_key=True)
    team: str = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    numerator: int
    denominator: int
    not_assessed: int


class Attempt(SQLModel, table=True):
    """One try at delivering a message, recorded before it is made and completed after."""

    __tablename__ = "attempt"

    id: int = Field(primary_key=True)
    message_id: int = Field(index=True)
    channel: str
    started_at: dt.datetime = Field(sa_type=Instant)
    finished_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    outcome: str | None = None
    detail: str | None = Field(default=None, sa_type=Text)


class Removal(SQLModel, table=True):
    """Something removed: what was kept long enough, or a person.

    ``removed``: how many of what, and ``nights``: the dates they were of, both JSON. ``finished_at`` is empty while
    files may still be there: the same command again completes it.
    """

    __tablename__ = "removal"

    id: int = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    recorded_at: dt.datetime = Field(sa_type=Instant)
    kind: str
    by: str | None = None
    reason: str | None = Field(default=None, sa_type=Text)
    removed: str = Field(sa_type=Text)
    nights: str = Field(sa_type=Text)
    finished_at: dt.datetime | None = Field(default=None, sa_type=Instant)


class RemovedPerson(SQLModel, table=True):
    """The mark of someone removed: a hash of a salt of their own and their id, to know them by if they come back.

    ``person_id`` is empty unless a source has brought them back, on ``back_on`` and named ``back_in``.
    """

    __tablename__ = "removed_person"

    removal_id: int = Field(primary_key=True)
    mark: str
    salt: str
    removed_on: dt.date
    person_id: str | None = Field(default=None, index=True)
    back_on: dt.date | None = None
    back_in: str | None = None


class Holder(SQLModel, table=True):
    """Who is at work on the database: one row at most, by ``lock``; a process that was killed leaves its own behind.

    Whether somebody is still at work only the lock itself says.
    """

    __tablename__ = "holder"

    id: int = Field(primary_key=True)
    token: str
    host: str
    pid: int
    taken_at: dt.datetime = Field(sa_type=Instant)


def table_of(model: type[SQLModel]) -> Table:
    return model.__table__  # type: ignore[attr-defined, no-any-return]


Model = TypeVar("Model", bound=SQLModel)


def load_first(store: Connection, model: type[Model], wanted: Select[Any]) -> Model | None:
    """Load the first whole row of the model's table that is wanted, with the types of its columns."""
    row = store.execute(wanted.limit(1)).first()
    return None if row is None else model(**row._mapping)
