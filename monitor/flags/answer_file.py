"""Takes the answers of one exception list: every row is judged first, and all are kept or none.

Deciding is apart from doing: ``judge`` takes what was read and what is known, and gives the answers to keep or every
fault with its row and column.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.errors import Problems
from monitor.flags import row_keys, waiver_request
from monitor.flags.answers import WORDS
from monitor.flags.waiver_request import LONGEST_NOTE, Reasons
from monitor.store import events
from monitor.store.bulk import WIDE_READ, insert_rows, next_id
from monitor.store.database import Database
from monitor.store.events import Event
from monitor.store.tables import Answer, Flag, table_of
from monitor.words import nearest, one_line, write_date
from monitor.workdays import working_days_between

ANSWER_COLUMNS = (
    "id", "flag_id", "person_id", "rule", "answer", "until_on", "reason", "note", "list_as_at", "file_sha256",
    "file_row", "answered_on", "answered_by", "recorded_at",
)  # fmt: skip
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
    """An answer to keep. ``terms``: those of the waiver it makes, if it does."""

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

    flags: Mapping[int, "Row[Any]"] = field(default_factory=dict)
    answers: Mapping[int, Sequence["Row[Any]"]] = field(default_factory=dict)
    unwaivable: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JudgedAnswers:
    """What is to be kept, what was kept before just so, and everything that is wrong."""

    kept: tuple[KeptAnswer, ...]
    repeated: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class TakenAnswers:
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


def judge(
    givens: Sequence[Given],
    known: KnownFlags,
    *,
    secret: bytes,
    today: dt.date,
    reasons: Reasons,
    list_working_days: int,
) -> JudgedAnswers:
    """Each row on its own, then against what is known; the faults in the order of the rows."""
    faults: list[Fault] = []
    kept: list[KeptAnswer] = []
    rows: dict[int, int] = {}
    ages: dict[dt.date, int] = {}
    repeated = 0
    for given in givens:
        found = list(_check_words(given, today, reasons))
        key = row_keys.open_key(secret, given.key, person_id=given.person_id, rule=given.rule)
        if key is None:
            faults += [(given.row, *fault) for fault in (_wrong_key(given), *found)]
            continue
        if key.flag_id in rows:
            found.append(("key", f"the flag is answered in row {rows[key.flag_id]} too; keep one of the two"))
        rows.setdefault(key.flag_id, given.row)
        answer = _read(given, key)
        stale = list(_check_flag(key, known))
        earlier = [one for one in known.answers.get(key.flag_id, ()) if one.list_as_at >= key.list_as_at]
        if any(_is_same(one, answer) for one in earlier) and not found:
            repeated += 1
            continue
        age = ages.setdefault(key.list_as_at, working_days_between(key.list_as_at, today))
        if age > list_working_days:
            old = f"the list is of {write_date(key.list_as_at)}, {age} working days ago"
            stale = [("key", f"{old}, and lists are taken within {list_working_days}; answer it on the newest list")]
        elif not stale:
            stale = [("answer", _answered(one)) for one in earlier[-1:]]
        if answer.answer == "waive until" and not stale and (why := known.unwaivable.get(key.flag_id)):
            stale.append(("answer", why))
        faults += [(given.row, *fault) for fault in (*stale, *found)]
        kept.append(answer)
    return JudgedAnswers(() if faults else tuple(kept), repeated, tuple(faults))


def _wrong_key(given: Given) -> tuple[str, str]:
    if not given.key.strip():
        return "key", "missing; the row was added by hand: answer in the rows of the workbook as it was written"
    return "key", (
        "does not belong to this row: the key, person_id or rule has been changed or moved; "
        "copy the answer into the workbook as it was written"
    )


def _check_words(given: Given, today: dt.date, reasons: Reasons) -> Iterator[tuple[str, str]]:
    """What is wrong with an answer whatever it is about."""
    said = _word(given.answer)
    if not said:
        yield "answer", f"missing, beside what is filled in; give one of {', '.join(WORDS)}, or empty the row"
    elif said not in WORDS:
        close = nearest(said, WORDS)
        remedy = f'did you mean "{close}"?' if close else f"give one of {', '.join(WORDS)}"
        yield "answer", f'"{one_line(given.answer)[:60]}" is not an answer; {remedy}'
    if said == "waive until":
        for part, fault in waiver_request.check_terms(
            given.until, given.reason, given.note, today=today, reasons=reasons
        ):
            yield f"answer_{part}", fault
        return
    if len(one_line(given.note)) > LONGEST_NOTE:
        yield "answer_note", f"{len(one_line(given.note))} characters; {LONGEST_NOTE} at most"
    if said == "the record is wrong" and not one_line(given.note):
        yield "answer_note", "missing; say what is wrong, and what would be right"
    for part, text in (("until", given.until), ("reason", given.reason)):
        if said in WORDS and one_line(text):
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
    elif row_keys.standing(flag.severity, flag.in_breach_since, flag.because) != key.standing:
        yield "answer", f"what the list says of the flag has changed {since}; answer it on the newest list"


def _read(given: Given, key: row_keys.Key) -> KeptAnswer:
    said = _word(given.answer)
    waives = said == "waive until"
    return KeptAnswer(
        row=given.row,
        flag_id=key.flag_id,
        list_as_at=key.list_as_at,
        answer=said,
        note=one_line(given.note) or None,
        until_on=waiver_request.read_day(given.until) if waives else None,
        reason=one_line(given.reason) if waives else None,
    )


def _word(text: str) -> str:
    return one_line(text).casefold()


def _is_same(recorded: "Row[Any]", given: KeptAnswer) -> bool:
    names = ("list_as_at", "answer", "until_on", "reason", "note")
    return all(getattr(recorded, name) == getattr(given, name) for name in names)


def _answered(earlier: "Row[Any]") -> str:
    by = f'answered "{earlier.answer}" already on {write_date(earlier.answered_on)} by {earlier.answered_by}'
    return f"{by}, on the list of {write_date(earlier.list_as_at)}; to change that, answer it on the next list"


# Doing


def take(
    database: Database,
    place: str,
    givens: Sequence[Given],
    file_sha256: str,
    *,
    by: str | None,
    reasons: Reasons,
    list_working_days: int,
    today: dt.date,
    now: dt.datetime,
    dry_run: bool = False,
) -> TakenAnswers:
    """Keep every answer in one transaction, or none: ``Problems`` names each fault by its row and column."""
    problems = [f"--by: {fault}" for fault in waiver_request.check_name(by)]
    with database.reading() if dry_run else database.writing() as store:
        if whole := list(_check_file(store, place, givens, file_sha256)):
            raise Problems([*problems, *whole])
        secret = row_keys.read_secret(store)
        known = _load(store, givens, secret, today)
        judged = judge(
            givens, known, secret=secret, today=today, reasons=reasons, list_working_days=list_working_days
        )  # fmt: skip
        problems += [f"{place}, row {row}, {column}: {fault}" for row, column, fault in judged.faults]
        if not (judged.faults or judged.kept):
            problems.append(f"{place}: every answer in it was recorded before; there is nothing new to read")
        if problems:
            raise Problems(problems)
        if not dry_run:
            _save(store, judged.kept, known, file_sha256, one_line(by), today=today, now=now)
    counts = Counter(one.answer for one in judged.kept)
    ordered: dict[str, int] = {word: counts[word] for word in WORDS if counts[word]}
    return TakenAnswers(ordered, judged.repeated, file_sha256, dry_run)


def _check_file(store: Connection, place: str, givens: Sequence[Given], file_sha256: str) -> Iterator[str]:
    answer = table_of(Answer)
    read = store.execute(select(answer).where(answer.c.file_sha256 == file_sha256).limit(1)).first()
    if read is not None:
        read_on = write_date(read.answered_on)
        yield f"{place}: this very file was read on {read_on} by {read.answered_by}; nothing is new"
    elif not givens:
        yield f"{place}: holds no answer; fill in the column answer, save it and read it again"


def _load(store: Connection, givens: Sequence[Given], secret: bytes, today: dt.date) -> KnownFlags:
    keys = [row_keys.open_key(secret, one.key, person_id=one.person_id, rule=one.rule) for one in givens]
    ids = sorted({key.flag_id for key in keys if key is not None})
    flag, answer = table_of(Flag), table_of(Answer)
    flags: dict[int, Row[Any]] = {}
    answers: dict[int, list[Row[Any]]] = {}
    for start in range(0, len(ids), WIDE_READ):
        named = ids[start : start + WIDE_READ]
        flags |= {row.id: row for row in store.execute(select(flag).where(flag.c.id.in_(named)))}
        earlier = select(answer).where(answer.c.flag_id.in_(named)).order_by(answer.c.list_as_at, answer.c.id)
        for row in store.execute(earlier):
            answers.setdefault(row.flag_id, []).append(row)
    waive = {
        key.flag_id for given, key in zip(givens, keys, strict=True) if key and _word(given.answer) == "waive until"
    }
    unwaivable = {
        number: why[0]
        for number in sorted(waive & flags.keys())
        if flags[number].resolved_on is None and (why := waiver_request.why_not(store, flags[number], today))
    }
    return KnownFlags(flags, answers, unwaivable)


def _save(
    store: Connection,
    kept: Sequence[KeptAnswer],
    known: KnownFlags,
    file_sha256: str,
    by: str,
    *,
    today: dt.date,
    now: dt.datetime,
) -> None:
    first = next_id(store, Answer)
    rows, happened = [], []
    for number, one in enumerate(kept, start=first):
        flag = known.flags[one.flag_id]
        rows.append((number, flag.id, flag.person_id, flag.rule, one.answer, one.until_on, one.reason, one.note,
                     one.list_as_at, file_sha256, one.row, today, by, now))  # fmt: skip
        detail = {"answer_id": number, "answer": one.answer, "list_as_at": one.list_as_at, "file_sha256": file_sha256,
                  "file_row": one.row}  # fmt: skip
        happened.append(Event("answered", flag.id, flag.person_id, flag.rule, one.note, by=by, detail=detail))
    insert_rows(store, Answer, ANSWER_COLUMNS, rows)
    events.record(store, happened, as_at=today, recorded_at=now)
    for number, one in enumerate(kept, start=first):
        if one.until_on is not None and one.reason is not None:
            terms = waiver_request.Terms(one.until_on, one.reason, one.note or "", by)
            waiver_request.record(store, known.flags[one.flag_id], terms, today=today, now=now, answer_id=number)
