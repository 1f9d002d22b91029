"""Saves the answers of one exception list: every row is checked first, and all are kept or none.

``decide`` takes what was read and what is known, and gives the answers to keep or every fault with its row and column.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.errors import Problems
from monitor.flags import mailed_answers, row_keys, waiver_request
from monitor.flags.answers import WORDS
from monitor.flags.mailed_answers import Reply
from monitor.flags.waiver_request import LONGEST_NOTE, Reasons
from monitor.store.bulk import insert_rows, next_id, read_by_ids
from monitor.store.database import Database
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_row
from monitor.store.seals import read_secret
from monitor.store.tables import Answer, Flag, table_of
from monitor.words import nearest, one_line, write_date
from monitor.workdays import NEVER_CLOSED, WorkingDays

ANSWER_COLUMNS = (
    "id", "flag_id", "person_id", "rule", "answer", "until_on", "reason", "note", "list_as_at", "file_sha256",
    "file_row", "answered_on", "answered_by", "recorded_at",
)  # fmt: skip
ANSWER_HEADINGS = {
    "answer": "Answer", "answer_until": "Until", "answer_reason": "Reason", "answer_note": "Note", "key": "Key",
}  # fmt: skip
"""What the columns of an answer are called where they are filled in, and where they are found wrong."""
Fault = tuple[int, str, str]
"""A row of the file, the column in it, and what is wrong there."""


@dataclass(frozen=True)
class Given:
    """One answered row as it was read, in the words it was written; ``row``: its number in the sheet."""

    row: int
    person_id: str
    rule: str
    key: str
    answer: str = ""
    until: str = ""
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class KeptAnswer:
    """An answer to keep; with ``until_on`` and ``reason``, one that makes a waiver."""

    row: int
    flag_id: int
    list_as_at: dt.date
    answer: str
    note: str | None
    until_on: dt.date | None = None
    reason: str | None = None


@dataclass(frozen=True)
class KnownFlags:
    """What the store holds of the flags that a file answers. ``unwaivable``: why a flag cannot be waived now."""

    secret: bytes = field(default=b"", repr=False)
    flags: Mapping[int, "Row[Any]"] = field(default_factory=dict)
    answers: Mapping[int, Sequence["Row[Any]"]] = field(default_factory=dict)
    unwaivable: Mapping[int, str] = field(default_factory=dict)

    def find_earlier(self, key: row_keys.Key) -> Sequence["Row[Any]"]:
        """Return what was answered about the flag on the list of the key, or on a later one."""
        return [answer for answer in self.answers.get(key.flag_id, ()) if answer.list_as_at >= key.list_as_at]


@dataclass(frozen=True)
class AnswerLimits:
    """What may be answered here: for which reasons to waive, for how long a list counts, and which days are worked."""

    reasons: Reasons
    list_working_days: int
    days: WorkingDays = NEVER_CLOSED


@dataclass(frozen=True)
class AnswersSaved:
    """What one file brought. ``counts``: answers by what they say; ``repeated``: those that were kept before."""

    counts: Mapping[str, int]
    repeated: int
    file_sha256: str
    rehearsed: bool

    def in_words(self) -> str:
        number = sum(self.counts.values())
        done = "would be recorded; nothing was" if self.rehearsed else "recorded"
        counted = ", ".join(f"{count} {word}" for word, count in self.counts.items())
        before = f"; {self.repeated} recorded before" if self.repeated else ""
        return f"{number} {'answer' if number == 1 else 'answers'} {done}: {counted}{before}"

    def as_dict(self) -> dict[str, Any]:
        return {"answers": dict(self.counts), "recorded_before": self.repeated, "file_sha256": self.file_sha256,
                "dry_run": self.rehearsed}  # fmt: skip


# Deciding


def decide(
    keyed: Sequence[tuple[Given, row_keys.Key | None]], known: KnownFlags, limits: AnswerLimits, today: dt.date
) -> tuple[list[KeptAnswer], int, list[Fault]]:
    """Decide each row on its own, then against what is known.

    Return what to keep if nothing is wrong, how many were kept before just so, and all that is wrong by row.

    ``keyed``: the rows, each with what its key says, None where it does not fit.
    """
    faults: list[Fault] = []
    kept: list[KeptAnswer] = []
    ages = {day: limits.days.between(day, today) for day in {key.list_as_at for _, key in keyed if key}}
    first_rows: dict[int, int] = {}
    repeated = 0
    for given, key in keyed:
        wrong = list(_check_words(given, today, limits.reasons))
        if key is None:
            faults += [(given.row, *fault) for fault in (_wrong_key(given), *wrong)]
            continue
        if (first_row := first_rows.setdefault(key.flag_id, given.row)) != given.row:
            wrong.append(("key", f"the flag is answered in row {first_row} too; keep one of the two"))
        answer = _read(given, key)
        earlier = known.find_earlier(key)
        if not wrong and any(_is_same(before, answer) for before in earlier):
            repeated += 1
            continue
        stale = _check_age(key, ages[key.list_as_at], limits) or _check_known(key, answer, known, earlier)
        faults += [(given.row, *fault) for fault in (*stale, *wrong)]
        kept.append(answer)
    return kept, repeated, faults


def _check_age(key: row_keys.Key, working_days: int, limits: AnswerLimits) -> list[tuple[str, str]]:
    if working_days <= limits.list_working_days:
        return []
    old = f"the list is of {write_date(key.list_as_at)}, {working_days} working days ago"
    return [("key", f"{old}, and lists are taken within {limits.list_working_days}; answer it on the newest list")]


def _check_known(
    key: row_keys.Key, answer: KeptAnswer, known: KnownFlags, earlier: Sequence["Row[Any]"]
) -> list[tuple[str, str]]:
    """Whether what is known of the flag bars the answer: how it stands, an answer before, or why it is not waived."""
    if changed := list(_check_flag(key, known)):
        return changed
    if earlier:
        last = earlier[-1]
        said = f'answered "{last.answer}" already on {write_date(last.answered_on)} by {last.answered_by}'
        on_list = f"on the list of {write_date(last.list_as_at)}"
        return [("answer", f"{said}, {on_list}; to change that, answer it on the next list")]
    unwaivable = known.unwaivable.get(key.flag_id) if answer.answer == "waive until" else None
    return [("answer", unwaivable)] if unwaivable else []


def _wrong_key(given: Given) -> tuple[str, str]:
    if not given.key.strip():
        return "key", "missing; the row was added by hand: answer in the rows of the list as it was written"
    remedy = "copy the answer into the list as it was written"
    return "key", f"does not belong to this row: the young person, rule or key has been changed or moved; {remedy}"


def _check_words(given: Given, today: dt.date, reasons: Reasons) -> Iterator[tuple[str, str]]:
    """What is wrong with an answer whatever it is about."""
    word = _word(given.answer)
    if not word:
        yield "answer", f"missing, beside what is filled in; give one of {', '.join(WORDS)}, or empty the row"
    elif word not in WORDS:
        close = nearest(word, WORDS)
        remedy = f'did you mean "{close}"?' if close else f"give one of {', '.join(WORDS)}"
        yield "answer", f'"{one_line(given.answer)[:60]}" is not an answer; {remedy}'
    if word == "waive until":
        for part, fault in waiver_request.check_terms(
            given.until, given.reason, given.note, today=today, reasons=reasons
        ):
            yield f"answer_{part}", fault
        return
    if len(one_line(given.note)) > LONGEST_NOTE:
        yield "answer_note", f"{len(one_line(given.note))} characters; {LONGEST_NOTE} at most"
    if word == "the record is wrong" and not one_line(given.note):
        yield "answer_note", "missing; say what is wrong, and what would be right"
    for part, text in (("until", given.until), ("reason", given.reason)):
        if word in WORDS and one_line(text):
            yield f"answer_{part}", 'only goes with "waive until"; empty it, or choose that answer'


def _check_flag(key: row_keys.Key, known: KnownFlags) -> Iterator[tuple[str, str]]:
    """Whether the flag still stands as the list said."""
    flag = known.flags.get(key.flag_id)
    since = f"since the list of {write_date(key.list_as_at)}"
    if flag is None:
        yield "key", f"the flag is no longer held {since}; empty the row's answer"
    elif flag.resolved_on is not None:
        ended = f"{write_date(flag.resolved_on)} ({flag.resolved_reason})"
        yield "answer", f"the flag was resolved on {ended}, {since}; empty the row's answer"
    elif row_keys.mark_flag(known.secret, flag.severity, flag.in_breach_since, flag.because) != key.mark:
        yield "answer", f"what the list says of the flag has changed {since}; answer it on the newest list"


def _read(given: Given, key: row_keys.Key) -> KeptAnswer:
    word = _word(given.answer)
    waives = word == "waive until"
    return KeptAnswer(
        row=given.row,
        flag_id=key.flag_id,
        list_as_at=key.list_as_at,
        answer=word,
        note=one_line(given.note) or None,
        until_on=waiver_request.read_day(given.until) if waives else None,
        reason=one_line(given.reason) if waives else None,
    )


def _word(text: str) -> str:
    return one_line(text).casefold()


def _is_same(recorded: "Row[Any]", given: KeptAnswer) -> bool:
    names = ("list_as_at", "answer", "until_on", "reason", "note")
    return all(getattr(recorded, name) == getattr(given, name) for name in names)


# Doing


@dataclass(frozen=True)
class AnsweredFile:
    """One answered list, or reply, as it was read. ``place``: what it is called in errors; ``by``: who answered.

    ``row``: what one of its rows is called there. ``reply``: of an e-mail, from whom it is and what it answers.
    """

    place: str
    sha256: str
    givens: Sequence[Given]
    by: str | None
    row: str = "row"
    reply: Reply | None = None


def save_answers(
    database: Database, file: AnsweredFile, limits: AnswerLimits, stamp: Stamp, *, dry_run: bool = False
) -> AnswersSaved:
    """Keep every answer in one transaction, or none: ``Problems`` names each fault by its row and column."""
    problems = [f"--by: {fault}" for fault in waiver_request.check_name(file.by)]
    with database.reading() if dry_run else database.writing() as store:
        if whole := list(_check_file(store, file)):
            raise Problems([*problems, *whole])
        secret, givens = read_secret(store), file.givens
        if file.reply is not None:
            givens = _fit_reply(store, secret, file, file.reply)
        keyed = _open_keys(givens, secret)
        known = replace(_load(store, keyed, stamp.as_at), secret=secret)
        kept, repeated, faults = decide(keyed, known, limits, stamp.as_at)
        problems += [
            f"{file.place}, {file.row} {row}, {ANSWER_HEADINGS[column]}: {fault}" for row, column, fault in faults
        ]
        if not (faults or kept):
            problems.append(f"{file.place}: every answer in it was recorded before; there is nothing new to read")
        if problems:
            raise Problems(problems)
        if not dry_run:
            _save(store, kept, known, file, stamp)
    counts = Counter(answer.answer for answer in kept)
    ordered: dict[str, int] = {word: counts[word] for word in WORDS if counts[word]}
    return AnswersSaved(ordered, repeated, file.sha256, dry_run)


def _fit_reply(store: Connection, secret: bytes, file: AnsweredFile, reply: Reply) -> list[Given]:
    """Return what a reply answers as rows; ``Problems`` names each answer that may not be taken."""
    fitted, faults = mailed_answers.fit(store, secret, reply)
    if faults:
        raise Problems([f"{file.place}, {file.row} {row}: {fault}" for row, fault in faults])
    return [Given(each.row, each.person_id, each.rule, each.key, each.choice, note=each.note) for each in fitted]


def _open_keys(givens: Iterable[Given], secret: bytes) -> list[tuple[Given, row_keys.Key | None]]:
    return [
        (given, row_keys.open_key(secret, given.key, person_id=given.person_id, rule=given.rule)) for given in givens
    ]


def _check_file(store: Connection, file: AnsweredFile) -> Iterator[str]:
    answer = table_of(Answer)
    read = store.execute(select(answer).where(answer.c.file_sha256 == file.sha256).limit(1)).first()
    if read is not None:
        read_on = write_date(read.answered_on)
        yield f"{file.place}: this very file was read on {read_on} by {read.answered_by}; nothing is new"
    elif not (file.givens or file.reply):
        yield f"{file.place}: holds no answer; fill in the column Answer, save it and read it again"


def _load(store: Connection, keyed: Sequence[tuple[Given, row_keys.Key | None]], today: dt.date) -> KnownFlags:
    ids = {key.flag_id for _, key in keyed if key}
    flag, answer = table_of(Flag), table_of(Answer)
    flags = {row.id: row for row in read_by_ids(store, select(flag), flag.c.id, ids)}
    answers: dict[int, list[Row[Any]]] = {}
    earlier = select(answer).order_by(answer.c.list_as_at, answer.c.id)
    for row in read_by_ids(store, earlier, answer.c.flag_id, ids):
        answers.setdefault(row.flag_id, []).append(row)
    to_waive = {key.flag_id for given, key in keyed if key and _word(given.answer) == "waive until"}
    return KnownFlags(b"", flags, answers, _find_unwaivable(store, [flags[n] for n in to_waive & flags.keys()], today))


def _find_unwaivable(store: Connection, flags: Iterable["Row[Any]"], today: dt.date) -> dict[int, str]:
    barred = ((flag.id, waiver_request.why_not(store, flag, today)) for flag in flags if flag.resolved_on is None)
    return {flag_id: why for flag_id, why in barred if why}


def _save(store: Connection, kept: Sequence[KeptAnswer], known: KnownFlags, file: AnsweredFile, stamp: Stamp) -> None:
    first, by = next_id(store, Answer), one_line(file.by)
    rows, happened = [], []
    for number, answer in enumerate(kept, start=first):
        flag = known.flags[answer.flag_id]
        about = (flag.id, flag.person_id, flag.rule)
        content = (answer.answer, answer.until_on, answer.reason, answer.note)
        origin = (answer.list_as_at, file.sha256, answer.row)
        row = (number, *about, *content, *origin, stamp.as_at, by, stamp.recorded_at)
        rows.append(row)
        detail = {"answer_id": number, "answer": answer.answer, "list_as_at": answer.list_as_at,
                  "file_sha256": file.sha256, "file_row": answer.row,
                  **say_row(Answer, **dict(zip(ANSWER_COLUMNS, row, strict=True)))}  # fmt: skip
        happened.append(Event("answered", *about, answer.note, by=by, detail=detail))
    insert_rows(store, Answer, ANSWER_COLUMNS, rows)
    record_stamped(store, happened, stamp)
    for number, answer in enumerate(kept, start=first):
        if answer.until_on is not None and answer.reason is not None:
            terms = waiver_request.Terms(answer.until_on, answer.reason, answer.note or "", by)
            waiver_request.record(store, known.flags[answer.flag_id], terms, stamp, answer_id=number)
