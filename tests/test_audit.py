"""The audit names whatever was changed, taken out or put in, and says whether a printed head stands in the chain."""

import datetime as dt
import json
import re
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import Connection, select, text
from sqlmodel import SQLModel
from support.council import GONE, NIGHT, OTHER, Council, copied, crowd, day, homeless, settled
from support.lifecycle_council import withdraw_night
from support.timed_service import few_rules

import monitor
from monitor.config.settings import load_config, shipped
from monitor.errors import Problems, Refused
from monitor.flags import answer_file, waiver_request
from monitor.flags.quarantine import confirm_surge
from monitor.flags.waiver_request import UnwaiveRequest, WaiverLimits, WaiverRequest
from monitor.lists import answer_sheet
from monitor.lists.list_columns import read_heading
from monitor.record import audit as auditing
from monitor.record import heads, last_night
from monitor.record.audit import Audit
from monitor.record.audit_rows import NOT_LOOKED_AT, WITH_ANOTHER
from monitor.record.purge import purge_store
from monitor.record.remove_person import RemovalRequest, remove_person
from monitor.rulebook.rule_folders import load_rulebook
from monitor.store import events
from monitor.store.database import open_store
from monitor.store.events import KINDS, Event, Stamp
from monitor.store.row_statements import COVERED, FIGURES
from monitor.store.tables import FlagEvent, table_of

NOW = dt.datetime(2026, 1, 20, 3, 0, tzinfo=dt.UTC)
BY = "A Example"


def live_through(folder: Path, database: str | None = None) -> Council:
    """Run nights, and decide whatever people decide between them: every table on record holds rows afterwards."""
    (folder / "merged.csv").write_text("old_id,new_id\n", encoding="utf-8")
    settings = f'{few_rules(folder, "homeless", "birth-date-recorded", "left-caseload")}merged_ids = "merged.csv"\n'
    council = Council(folder, settings, database=database)
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(config.replace("workbooks = false", "workbooks = true"), encoding="utf-8")
    rest = [homeless(OTHER), homeless("P3"), homeless("P4"), *crowd(30)]
    council.night(NIGHT, [homeless(GONE), homeless("M1"), homeless("P1"), homeless("P2"), settled("P5"), *rest])
    decide_waivers(council)
    council.config_path.write_text(config, encoding="utf-8")
    rest[0] |= {"contact": "09/01/2026"}
    unreadable = homeless("P2") | {"accommodation": "#MULTIVALUE"}
    council.night(day(1), [homeless(GONE), homeless("M1"), settled("P1"), unreadable, settled("P5"), *rest])
    (folder / "merged.csv").write_text("old_id,new_id\nM1,M2\n", encoding="utf-8")
    rest += [homeless("M2"), homeless("P2")]
    council.night(day(2), [settled("P1"), settled("P5", in_touch="c) Died"), settled("N1"), *rest])
    council.night(day(2), [homeless("P1"), settled("P5", in_touch="c) Died"), *rest], again=True, by=BY)
    council.night(day(2))
    with pytest.raises(Refused):
        council.night(day(3), crowd(2))
    with council.open_database() as store:
        last_night.confirm(store, "P5", by=BY, today=day(3), now=council.clock)
    council.night(day(3), [homeless("P1"), settled("P5"), *rest])
    with council.open_database() as store:
        last_night.confirm(store, "P5", by=BY, today=day(4), now=council.clock)
        waiver_request.unwaive(store, UnwaiveRequest("P3", "homeless", BY, "moved"), Stamp(day(4), council.clock))
        remove_person(store, load_config(council.config_path), RemovalRequest(GONE, BY, "asked", day(4), NOW), {})
    council.night(day(8), [homeless("P1"), settled("P5"), homeless(GONE), *rest])
    return council


def decide_waivers(council: Council) -> None:
    """Waive one flag by hand, and two by what a lead fills in on a list; one of these runs out within days."""
    config = load_config(council.config_path)
    stamp, limits = Stamp(NIGHT, council.clock), WaiverLimits(config.waivers.reasons)
    asked = WaiverRequest("P3", "homeless", "2026-02-05", next(iter(config.waivers.reasons)), "a place is agreed", BY)
    path = council.folder / "data" / "exceptions" / NIGHT.isoformat() / "all.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book["Flags"]
    places = {read_heading(cell.value): cell.column for cell in sheet[1]}
    for row in range(2, sheet.max_row + 1):
        given = {OTHER: {"answer": "done"}, "P4": {"answer": "waive until", "answer_until": "14/01/2026"}}
        given["P4"] |= {"answer_reason": str(asked.reason), "answer_note": "until she moves"}
        for name, value in given.get(sheet.cell(row, places["person_id"]).value, {}).items():
            sheet.cell(row, places[name]).value = value
    book.save(council.folder / "back.xlsx")
    sha256, givens = answer_sheet.read(council.folder / "back.xlsx")
    with council.open_database() as store:
        waiver_request.waive(store, load_rulebook((shipped("rules"),), {}), asked, limits, stamp)
        answered = answer_file.AnsweredFile("back.xlsx", sha256, givens, BY)
        answer_file.save_answers(
            store, answered, answer_file.AnswerLimits(config.waivers.reasons, config.answers.list_working_days), stamp
        )


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lived")
    live_through(folder)
    return folder


@pytest.fixture
def council(lived: Path, tmp_path: Path) -> Council:
    return copied(lived, tmp_path)


def audit(council: Council, head: str | None = None) -> Audit:
    with council.open_database() as database:
        return auditing.audit(database, council.folder / "data", head=head)


def audit_what_would_be(council: Council, statement: str) -> Audit:
    """Audit what a statement would leave, and take it back."""

    class WithinTransaction:
        def __init__(self, store: Connection) -> None:
            self.store = store

        @contextmanager
        def reading(self) -> Iterator[Connection]:
            yield self.store

    with council.open_database() as database, database.writing() as store:
        store.execute(text(statement))
        found = auditing.audit(WithinTransaction(store), council.folder / "data")  # type: ignore[arg-type]
        store.rollback()
    return found


def change(council: Council, *statements: str) -> None:
    with council.open_database() as database, database.writing() as store:
        for statement in statements:
            store.execute(text(statement))


@dataclass(frozen=True)
class Tampering:
    """What somebody does to the record by hand, and words of what the audit says of it."""

    name: str
    act: str | Callable[[Council], None]
    words: str
    """A line for each thing that the audit has to say."""

    def unsaid(self, found: Audit) -> list[str]:
        said = "\n".join(found.problems)
        return [words for words in self.words.splitlines() if words not in said]


def on_disk(act: Callable[[Path], None]) -> Callable[[Council], None]:
    """Do something to the kept caseload of the first night."""
    return lambda council: act(min((council.folder / "data" / "snapshots").iterdir()))


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def rewrite_chain(council: Council) -> None:
    """Open P2's flag a year ago, in the flag and in its event, and compute the chain anew from there."""
    event = table_of(FlagEvent)
    with council.open_database() as database, database.writing() as store:
        store.execute(text("UPDATE flag SET opened_on = '2025-01-12' WHERE person_id = 'P2' AND rule = 'homeless'"))
        previous = events.GENESIS
        for row in store.execute(select(event).order_by(event.c.id)).all():
            values, commitment = {}, row.commitment
            if row.kind == "opened" and '"P2"' in str(row.payload):
                payload = row.payload.replace('"opened_on":"2026-01-12"', '"opened_on":"2025-01-12"')
                commitment = events.commit(row.salt, payload)
                values = {"payload": payload, "commitment": commitment}
            previous = events.chain(previous, commitment)
            store.execute(event.update().where(event.c.id == row.id).values(**values, hash=previous))


def invent_event(council: Council) -> None:
    """Append an event that this version does not know, as one of a newer version would be."""
    with council.open_database() as database, database.writing() as store:
        events.record(store, [Event("moon observed")], as_at=NIGHT, recorded_at=NOW)


def cut_off_the_end(council: Council) -> None:
    change(council, "DELETE FROM flag_event WHERE id > (SELECT max(id) - 3 FROM flag_event)")


def put_in(model: type[SQLModel], like: str, **values: str) -> str:
    """SQL for a row like another, with some values of its own."""
    table = table_of(model)
    columns = [column.name for column in table.columns]
    chosen = [values.get(name, f'"{name}"') for name in columns]
    listed = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table.name} ({listed}) SELECT {', '.join(chosen)} FROM {table.name} WHERE {like}"


def of(table: str) -> type[SQLModel]:
    return COVERED[table].model


FLAG = "person_id = 'P2' AND rule = 'homeless'"
WAIVED, ESCALATED = "id = (SELECT min(id) FROM waiver)", "id = (SELECT min(id) FROM escalation)"
SENT, RUN_1 = "id = (SELECT min(id) FROM message)", "id = 1"
FLAG_VALUES = {
    "person_id": "'C001'", "rule": "'left-caseload'", "severity": "'low'", "kept_severity": "'low'",
    "kept_until": "'2026-03-01'", "opened_on": "'2026-01-20'", "opened_run_id": "3", "in_breach_since": "'2026-01-20'",
    "due_on": "'2026-02-01'", "because": "'Nothing to see'", "held_since": "'2026-01-13'", "held_why": "'absent'",
    "resolved_on": "'2026-01-13'", "resolved_reason": "'cleared'", "resolved_run_id": "3", "earlier_spells": "4",
    "last_cleared_on": "'2025-12-01'", "continues_flag_id": "1", "quarantined_on": "'2026-01-13'",
    "released_on": "'2026-01-14'", "released_by": "'Somebody'",
}  # fmt: skip
PERSON_VALUES = {
    "date_of_birth": "'2001-01-12'", "strongest_category": "'eligible'", "team": "'South'", "accommodation": "'K'",
    "accommodation_since": "'2020-01-01'", "previous_accommodation": "'K'", "previous_since": "'2020-01-01'",
    "first_seen_on": "'2025-01-01'", "absent_since": "'2026-01-13'", "died_on": "'2026-01-13'",
    "alive_again_on": "'2026-01-13'", "ended_on": "'2026-01-13'", "left_reason": "'died'",
    "values_fingerprint": "'d41d8cd98f00b204e9800998ecf8427e'", "last_values": "'{}'",
}  # fmt: skip
WAIVER_VALUES = {
    "until_on": "'2027-01-01'", "reason": "'told'", "note": "'as agreed'", "waived_by": "'Somebody'",
    "waived_on": "'2025-01-01'", "ended_why": "'ran out'", "ended_by": "'Somebody'", "ended_note": "'x'",
    "reopened_on": "'2025-01-01'", "recorded_at": "'2025-01-01 00:00:00.000000'",
}  # fmt: skip
RUN_VALUES = {
    "verdict": "'degraded'", "reason": "'all is well'", "source_fingerprint": "'x'", "rules_fingerprint": "'x'",
    "rule_meanings": "'{}'", "doubts": "'[\"none\"]'", "people": "7", "absent": "7", "state": "'refused'",
    "started_at": "'2025-01-01 00:00:00.000000'", "by": "'Somebody'", "extracted_on": "'2025-01-01'",
}  # fmt: skip
MESSAGE_VALUES = {
    "accepted_at": "'2025-01-01 00:00:00.000000'", "recipient": "'x@example.gov.uk'", "text": "'Nothing new'",
    "html": "'x'", "subject": "'x'", "state": "'permanent-failure'", "trouble": "'x'", "holds": "'lead'",
    "key": "'2026-01-12-1-0-1'", "run_id": "2", "next_attempt_at": "'2025-01-01 00:00:00.000000'",
    "doubtful_since": "'2025-01-01 00:00:00.000000'", "reported_at": "'2025-01-01 00:00:00.000000'",
}  # fmt: skip
ATTEMPT_VALUES = {
    "message_id": "2", "channel": "'smtp'", "started_at": "'2025-01-01 00:00:00.000000'", "outcome": "'stopped'",
    "finished_at": "'2025-01-01 00:00:00.000000'", "detail": "'x'",
}  # fmt: skip
CARRIED_VALUES = {"carried_on": "'2026-01-20'", "run_id": "1", "heir_row": "'{}'", "undone_run_id": "4"}


def each(table: str, row: str, values: dict[str, str]) -> Tampering:
    """Change these columns of one row: the audit has to name every one of them."""
    words = {name: name + (" is not" if name in COVERED[table].digested else " stands as") for name in values}
    if "last_values" in values:
        words["last_values"] = "last_values are not those"
    changed = ", ".join(f'"{name}" = {value}' for name, value in values.items())
    return Tampering(f"{table}'s columns", f"UPDATE {table} SET {changed} WHERE {row}", "\n".join(words.values()))


TAMPERINGS = [
    each("flag", FLAG, FLAG_VALUES),
    Tampering("flag deleted", f"DELETE FROM flag WHERE {FLAG}", "is no longer in the database"),
    Tampering("flag forged", put_in(of("flag"), FLAG, id="9000", person_id="'C002'"), "no event ever told of it"),
    Tampering(
        "cleared flag stands again",
        "UPDATE flag SET resolved_on = NULL, resolved_run_id = NULL WHERE resolved_reason = 'merged'",
        "resolved_on stands as nothing, and event",
    ),
    each("person", "person_id = 'C001'", PERSON_VALUES),
    Tampering("person deleted", "DELETE FROM person WHERE person_id = 'C001'", "person C001: is no longer"),
    Tampering("person forged", put_in(of("person"), "person_id = 'C001'", person_id="'X1'"), "person X1: stands"),
    Tampering("dead person made alive", "UPDATE person SET died_on = '2026-01-14' WHERE person_id = 'P5'", "died_on"),
    Tampering("withdrawn person put back", put_in(of("person"), "person_id = 'C001'", person_id="'N1'"), "deleted"),
    each("waiver", WAIVED, WAIVER_VALUES),
    Tampering("waiver deleted", f"DELETE FROM waiver WHERE {WAIVED}", "waiver 1 (homeless): is no longer"),
    Tampering(
        "waiver forged",
        put_in(of("waiver"), WAIVED, id="900", flag_id="2", person_id="'P2'", ended_on="NULL", ended_why="NULL"),
        "waiver 900 (homeless): stands",
    ),
    Tampering("answer changed", "UPDATE answer SET answer = 'not ours' WHERE person_id = 'P4'", "answer stands as"),
    Tampering("answer by another", "UPDATE answer SET answered_by = 'x'", "answered_by stands as"),
    Tampering("answer noticed", "UPDATE answer SET noticed_on = '2026-01-20'", "noticed_on stands as"),
    Tampering("answer deleted", "DELETE FROM answer WHERE person_id = 'P4'", "is no longer in the database"),
    Tampering(
        "answer forged",
        put_in(of("answer"), "person_id = 'P4'", id="900", flag_id="900", file_row="77"),
        "answer 900 (homeless): stands",
    ),
    Tampering("escalation deleted", f"DELETE FROM escalation WHERE {ESCALATED}", "escalation 1: is no longer"),
    Tampering(
        "escalation forged", put_in(of("escalation"), ESCALATED, id="900", step="'third'"), "escalation 900: stands"
    ),
    Tampering("escalation redirected", f"UPDATE escalation SET recipient = 'x' WHERE {ESCALATED}", "recipient stands"),
    Tampering("escalation sooner", f"UPDATE escalation SET working_days = 1 WHERE {ESCALATED}", "working_days stands"),
    Tampering("removal deleted", "DELETE FROM removal", "removal 1: is no longer"),
    Tampering("removal forged", put_in(of("removal"), "id = 1", id="900"), "removal 900: stands"),
    Tampering("removal by another", 'UPDATE removal SET "by" = \'x\'', "by stands as"),
    Tampering("removal for another reason", "UPDATE removal SET reason = 'x'", "reason stands as"),
    Tampering("removed person's mark changed", "UPDATE removed_person SET mark = 'x'", "mark is not what"),
    Tampering("removed person forgotten", "DELETE FROM removed_person", "removed person 1: is no longer"),
    Tampering("return of a removed person hidden", "UPDATE removed_person SET back_on = NULL", "back_on stands"),
    each("run", RUN_1, RUN_VALUES),
    Tampering("run deleted", "DELETE FROM run WHERE state = 'refused'", "is no longer in the database"),
    Tampering("run forged", put_in(of("run"), RUN_1, id="900", as_at="'2025-06-01'"), "run 900: stands"),
    Tampering("caseload's fingerprint changed", "UPDATE run SET snapshot_sha256 = 'x' WHERE id = 1", "snapshot_sha256"),
    each("message", SENT, MESSAGE_VALUES),
    Tampering("message deleted", f"DELETE FROM message WHERE {SENT}", "message 1: is no longer"),
    Tampering("message forged", put_in(of("message"), SENT, id="900", key="'x'"), "message 900: stands"),
    Tampering("whom a message names", f"UPDATE message SET people = '[]' WHERE {SENT}", "people is not what"),
    each("attempt", "id = 1", ATTEMPT_VALUES),
    Tampering("attempt deleted", "DELETE FROM attempt WHERE id = 1", "attempt 1: is no longer"),
    Tampering("attempt forged", put_in(of("attempt"), "id = 1", id="900"), "attempt 900: stands"),
    Tampering("told of a flag no more", "DELETE FROM message_flag WHERE message_id = 2", "message 2: what it told of"),
    Tampering(
        "told of a flag forged",
        "INSERT INTO message_flag (message_id, flag_id, severity, state) VALUES (1, 900, 'low', 'open')",
        "message 1: what it told of is not what",
    ),
    Tampering("told of it otherwise", "UPDATE message_flag SET state = 'resolved'", "what it told of is not what"),
    Tampering("told of it as less", "UPDATE message_flag SET severity = 'low'", "what it told of is not what"),
    Tampering(
        "told of what comes",
        "INSERT INTO message_coming (message_id, person_id, rule, opens_on) VALUES (1, 'P2', 'x', '2027-01-01')",
        "message 1: what it told of is not what",
    ),
    Tampering("told of an escalation", "DELETE FROM message_escalation", "what it told of is not what"),
    Tampering(
        "told by no message",
        "INSERT INTO message_flag (message_id, flag_id, severity, state) VALUES (900, 1, 'low', 'open')",
        "message_flag: says what message 900 told of, and there is none such",
    ),
    each("flag_carried", "heir_flag_id > 0", CARRIED_VALUES),
    Tampering("link deleted", "DELETE FROM flag_carried", "flag carried 1 8: is no longer"),
    Tampering("link forged", put_in(of("flag_carried"), "1 = 1", heir_flag_id="900"), "flag carried 1 900: stands"),
    Tampering("secret changed", "UPDATE seal SET secret = 'aa'", "seal lists: secret is not what event 1 said"),
    Tampering("secret deleted", "DELETE FROM seal", "seal lists: is no longer"),
    Tampering("secret forged", "INSERT INTO seal (name, secret) VALUES ('x', 'aa')", "seal x: stands in the database"),
    *(
        Tampering(f"{table_of(model).name} {how}", f"{sql} WHERE run_id = 1", "are not what they were")
        for model in FIGURES
        for how, sql in (
            ("deleted", f"DELETE FROM {table_of(model).name}"),
            ("changed", f"UPDATE {table_of(model).name} SET as_at = '2025-01-01'"),
        )
    ),
    Tampering("figures forged", "UPDATE measure SET run_id = 900 WHERE run_id = 1", "which is no accepted night"),
    Tampering("event's words", "UPDATE flag_event SET payload = replace(payload, 'P2', 'P9') WHERE payload LIKE '%P2%'",
              "what it says was changed"),
    Tampering("event's date", "UPDATE flag_event SET as_at = '2025-01-01' WHERE id = 2", "columns are not what"),
    Tampering("event half emptied", "UPDATE flag_event SET payload = NULL WHERE id = 2", "emptied by hand"),
    Tampering("event emptied", "UPDATE flag_event SET payload = NULL, salt = NULL WHERE id = 2", "emptied by hand"),
    Tampering("event deleted", "DELETE FROM flag_event WHERE id = 2", "does not follow from the row before it"),
    Tampering("first event deleted", "DELETE FROM flag_event WHERE id = 1", "is not the first"),
    Tampering("event's commitment", "UPDATE flag_event SET commitment = hash WHERE id = 3", "does not follow"),
    Tampering(
        "event put in",
        put_in(FlagEvent, "id = 2", id="9000"),
        "does not follow from the row before it",
    ),
    Tampering("events taken off the end", cut_off_the_end, "rows were taken off the end"),
    Tampering("chain computed anew", rewrite_chain, "it was changed up to there"),
    Tampering("event of an unknown kind", invent_event, "of a kind that this version does not know"),
    Tampering("heads deleted", lambda c: (c.folder / "data" / "heads.txt").unlink(), "heads.txt: is gone or empty"),
    Tampering("kept caseload deleted", on_disk(Path.unlink), "is missing"),
    Tampering("kept caseload altered", on_disk(damage), "was altered after it was kept"),
    Tampering("kept caseload put in", on_disk(lambda path: path.with_stem("2026-01-11-run-9").touch()), "no night on"),
]  # fmt: skip
HEAVY = [n for n, tampering in enumerate(TAMPERINGS) if n % 4 == 0]
"""Those that are tried on PostgreSQL too."""


def tamper(council: Council, tampering: Tampering) -> None:
    if isinstance(tampering.act, str):
        change(council, tampering.act)
    else:
        tampering.act(council)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=[tampering.name for tampering in TAMPERINGS])
def test_whatever_is_done_to_the_record_by_hand_is_found_and_named(council: Council, tampering: Tampering) -> None:
    tamper(council, tampering)

    found = audit(council)

    assert found.exit_code == 1
    assert tampering.unsaid(found) == []


def test_there_are_a_hundred_ways_and_every_column_of_flags_and_people_is_among_them() -> None:
    assert sum(len(tampering.words.splitlines()) for tampering in TAMPERINGS) >= 100
    assert {*FLAG_VALUES, "id"} == {*COVERED["flag"].columns}
    assert {*PERSON_VALUES, "person_id"} == {*COVERED["person"].columns, "last_values"}


def test_every_table_is_compared_or_said_not_to_be() -> None:
    otherwise = {table_of(model).name for model in (*FIGURES, *WITH_ANOTHER)}
    assert {*COVERED, *otherwise, *NOT_LOOKED_AT, "flag_event"} == {*SQLModel.metadata.tables}


def test_every_kind_of_event_that_the_code_records_is_known_to_the_audit() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path(monitor.__file__).parent.rglob("*.py"))
    named = set(re.findall(r'\bEvent\(\s*"([^"]+)"', code)) | set(re.findall(r'RowsTogether\(\s*"([^"]+)"', code))
    named |= set(re.findall(r'\brecord(?:_once_a_day|_stored)?\(store, "([^"]+)"', code))
    assert named <= KINDS.keys()
    assert len(named) >= 20


# How things stood before the last night


def live_on(council: Council, *, again: bool) -> None:
    """Pass a night that changes flags and people in each way, and put it right with something decided in between."""
    rest = [homeless("P4"), *crowd(30), homeless("M2")]
    tonight = [homeless("P1", team="South"), homeless(GONE), homeless("N2"), settled("P3"), *rest]
    unreadable = homeless("P2") | {"accommodation": "#MULTIVALUE"}
    council.night(day(9), [*tonight, settled("P5", in_touch="c) Died"), unreadable])
    if again:
        with council.open_database() as store:
            last_night.confirm(store, "P5", by=BY, today=day(10), now=council.clock)
        others = [homeless("P1"), settled("P5"), homeless("P2"), homeless(OTHER)]
        council.night(day(9), [*tonight[1:], *others], again=True, by=BY)


@pytest.fixture(scope="module", params=["a night", "put right"])
def gone_on(lived: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    council = copied(lived, tmp_path_factory.mktemp("gone-on"))
    live_on(council, again=request.param == "put right")
    return council.folder


BEFORE_TAMPERINGS = [
    ("deleted", "DELETE FROM {table}", "how it stood before run {run} is no longer in the database"),
    ("put in", "INSERT INTO {table} ({key}, run_id, row) VALUES ({stranger}, {run}, '{{}}')", "no event of run {run}"),
    ("of another night", "UPDATE {table} SET run_id = 1", "is kept for run 1, and the last night that stands is run"),
    ("no JSON", "UPDATE {table} SET row = 'x'", "stands otherwise than events say it stood before run {run}"),
]
FIRST_DAY = "UPDATE flag_before SET row = replace(row, '2026-01-1', '2026-01-0')"
TEAM = "UPDATE person_before SET row = replace(row, 'North', 'South')"
VALUES = "UPDATE person_before SET row = replace(row, '2026-01-0', '2026-01-1')"


ALSO_ON_POSTGRESQL = {
    FIRST_DAY: "opened_on, in_breach_since stands otherwise than events say it stood before run",
    TEAM: "team stands otherwise than events say",
    "DELETE FROM person_before": "how it stood before run 10 is no longer in the database",
    "DELETE FROM flag_carried": "flag carried 1 8: is no longer",
    "UPDATE seal SET secret = 'aa'": "seal lists: secret is not what event 1 said",
    "UPDATE message_flag SET state = 'resolved'": "what it told of is not what",
    "UPDATE message SET next_attempt_at = created_at, people = '[]'": "people is not what",
    "UPDATE attempt SET started_at = '2025-01-01 00:00:00'": "started_at stands as",
}


def test_how_things_stood_before_the_last_night_is_compared_with_the_events_before_it(
    gone_on: Path, tmp_path: Path
) -> None:
    council = copied(gone_on, tmp_path)
    assert audit(council).problems == ()
    ((run,),) = council.rows("SELECT max(id) FROM run WHERE state = 'accepted'")

    tables = {"flag_before": ("flag_id", "900"), "person_before": ("person_id", "'C007'")}
    for table, (key, stranger) in tables.items():
        assert council.rows(f"SELECT count(*) FROM {table} WHERE row IS NOT NULL")[0][0] >= 2
        for how, sql, words in BEFORE_TAMPERINGS:
            named = {"table": table, "key": key, "stranger": stranger, "run": run}
            said = audit_what_would_be(council, sql.format(**named)).problems
            assert any(line.startswith(table) and words.format(**named) in line for line in said), (table, how, said)
    for sql, words in (
        (FIRST_DAY, "opened_on, in_breach_since stands otherwise than events say it stood before run"),
        (TEAM, "team stands otherwise than events say"),
        (VALUES, "last_values are not those of their fingerprint"),
        ("UPDATE person_before SET row = '{}' WHERE row IS NULL", "by the events it was not there"),
        ("UPDATE person_before SET row = NULL", "by the events it was there"),
    ):
        assert words in "\n".join(audit_what_would_be(council, sql).problems)


def test_of_a_night_that_was_taken_back_nothing_is_kept(gone_on: Path, tmp_path: Path) -> None:
    council = copied(gone_on, tmp_path)
    withdraw_night(council, day(9))
    assert audit(council).problems == ()

    change(council, "INSERT INTO person_before (person_id, run_id, row) VALUES ('C007', 9, NULL)")

    assert audit(council).problems == ("person_before C007: is kept for run 9, and that night was taken back",)


# What is honest


def test_a_record_that_nobody_touched_is_whole(council: Council) -> None:
    found = audit(council)

    assert (found.problems, found.exit_code, found.broken, found.notes) == ((), 0, None, ())
    assert (found.events, found.snapshots) == (council.rows("SELECT count(*) FROM flag_event")[0][0], 5)
    assert all(found.rows[table] for table in COVERED)
    assert found.rows == {table: council.rows(f"SELECT count(*) FROM {table}")[0][0] for table in COVERED}
    said = auditing.describe(found)
    assert said[-1] == "the record is whole"
    assert [line for line in said if line.startswith("not looked at")] == [
        "not looked at: holder (who is at work on the database, which changes with no event)"
    ]
    json.dumps(found.as_dict(), default=str)


def test_on_postgresql_the_same_life_is_whole_and_what_is_done_to_it_is_named(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    council = live_through(tmp_path, new_database())
    assert audit(council).problems == ()

    for tampering in (TAMPERINGS[n] for n in HEAVY):
        if isinstance(tampering.act, str):
            found = audit_what_would_be(council, tampering.act)
            assert tampering.unsaid(found) == [], tampering.name
    live_on(council, again=True)
    assert audit(council).problems == ()
    for sql, words in ALSO_ON_POSTGRESQL.items():
        assert words in "\n".join(audit_what_would_be(council, sql).problems), sql


def test_what_a_purge_emptied_is_on_record_and_holds(council: Council) -> None:
    council.write(crowd(30))
    with council.open_database() as database:
        config = load_config(council.config_path)
        remove_person(database, config, RemovalRequest("P4", "A", "asked", day(8), NOW), {})
        purge_store(database, config, dt.date(2029, 1, 1), NOW)

    found = audit(council)

    assert found.problems == ()
    assert found.emptied > 20
    assert council.rows("SELECT count(*) FROM message WHERE text <> ''") == [(0,)]


def test_a_flag_that_opens_as_held_agrees_with_the_record(council: Council) -> None:
    (council.folder / "merged.csv").write_text("old_id,new_id\nM1,M2\nP4,P9\n", encoding="utf-8")
    rest = [homeless("P1"), settled("P5"), homeless(OTHER), homeless("P3"), homeless("M2"), homeless("P2"), *crowd(30)]
    council.night(day(9), [*rest, homeless("P9") | {"accommodation": "#MULTIVALUE"}])
    assert council.rows("SELECT held_since FROM flag WHERE person_id = 'P9'") == [("2026-01-21",)]
    assert audit(council).problems == ()

    change(council, "UPDATE flag SET held_why = 'x', because = 'x' WHERE person_id = 'P9'")
    assert "because stands as" in audit(council).problems[0]
    assert "held_why stands as" in audit(council).problems[0]


def test_waiting_flags_that_are_let_go_agree_with_the_record(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "homeless", "not-in-touch", "contact-overdue"))
    council.night(NIGHT, [settled(f"C{n:03}") for n in range(60)])
    surge = [settled(f"C{n:03}", in_touch="b) No" if n < 20 else "a) Yes") for n in range(60)]
    council.night(day(1), surge)
    with council.open_database() as database:
        assert confirm_surge(database, "not-in-touch", by=BY, today=day(1), now=council.clock)
    council.night(day(2))
    assert audit(council).problems == ()

    change(council, "UPDATE flag SET released_by = 'Somebody' WHERE released_by IS NOT NULL")
    assert "released_by stands as" in audit(council).problems[0]


def test_the_rows_of_an_older_database_are_said_to_be_older_and_compared(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path))
    from test_migrations import fill_three_nights, make

    (tmp_path / "data").mkdir()
    make(f"sqlite:///{tmp_path / 'data' / 'monitor.db'}", "0001", fill_three_nights)

    found = audit(council)

    assert [problem for problem in found.problems if "kept caseload" not in problem] == []
    assert found.complete_from is not None
    assert found.earlier == sum(found.rows.values()) > 0
    assert any("rows are older, and compared with how they stood then" in line for line in auditing.describe(found))
    change(council, "UPDATE flag SET opened_on = '2020-01-01' WHERE id = 1")
    assert any("opened_on stands as" in problem for problem in audit(council).problems)


# Heads


def test_every_night_leaves_its_head_outside_the_database(council: Council) -> None:
    kept = heads.read(council.folder / "data")

    assert kept.lines[-1].hash == audit(council).head
    assert {line.as_at for line in kept.lines} >= {NIGHT, day(1), day(2), day(3), day(8)}


def test_the_next_run_adds_the_head_that_a_killed_one_did_not(council: Council) -> None:
    path = council.folder / "data" / "heads.txt"
    whole = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(whole[:-1]) + "\n")

    council.night(day(8))

    assert path.read_text(encoding="utf-8").splitlines()[: len(whole)] == whole
    assert audit(council).problems == ()


def test_a_head_that_was_cut_short_is_a_note_and_no_fault(council: Council) -> None:
    with (council.folder / "data" / "heads.txt").open("a") as file:
        file.write("2026-01-2")

    found = audit(council)

    assert (found.problems, len(found.notes)) == ((), 1)


def test_heads_that_somebody_went_on_without_are_no_fault(council: Council) -> None:
    lost = heads.read(council.folder / "data").lines[-2:]
    cut_off_the_end(council)
    assert any("heads.txt" in problem for problem in audit(council).problems)

    with council.open_database() as database, database.writing() as store:
        given_up = {"heads": [lost[0].hash, lost[1].hash]}
        events.record(store, [Event("gap accepted", by=BY, detail=given_up)], as_at=day(8), recorded_at=NOW)

    assert not any("heads.txt" in problem for problem in audit(council).problems)


def test_a_head_on_a_digest_is_found_with_what_came_after_it(council: Council) -> None:
    (mail,) = council.mail_to("north@example.gov.uk", day(8))
    printed = mail.text.split("Record sealed at ")[1].split()[0]

    found = audit(council, printed)

    assert found.exit_code == 0
    assert found.sought is not None
    assert found.sought.id is not None
    assert found.sought.id + found.sought.later == found.events
    assert found.sought.printed.startswith(printed)


def test_rows_taken_off_the_end_are_seen_by_the_head_that_was_printed(council: Council) -> None:
    head = audit(council).head
    cut_off_the_end(council)

    found = audit(council, head)

    assert found.broken is None
    assert any(f"head {head}: not in the chain" in problem for problem in found.problems)


@pytest.mark.parametrize("head", ["abc", "not-a-hash-at-all", ""])
def test_what_is_no_head_is_refused(council: Council, head: str) -> None:
    with pytest.raises(Problems, match="not a head"):
        audit(council, head)


# Size, and nothing


def test_a_long_chain_is_walked_in_little_memory(tmp_path: Path) -> None:
    database = open_store(f"sqlite:///{tmp_path / 'monitor.db'}")  # type: ignore[arg-type]
    with database.writing() as store:
        many = (Event("night put right", person_id=f"P{n}") for n in range(12_000))
        events.record(store, many, as_at=NIGHT, recorded_at=NOW)

    tracemalloc.start()
    found = auditing.audit(database, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    database.close()

    assert (found.events, found.problems) == (12_000, ())
    assert peak < 8_000_000


def test_a_large_table_is_compared_in_parts_alike(council: Council, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.record.audit_rows.BYTES_TOGETHER", 15_000)
    monkeypatch.setattr("monitor.record.audit_rows.BYTES_A_READ", 7_000)
    assert audit(council).problems == ()
    assert audit(council).rows["person"] == council.rows("SELECT count(*) FROM person")[0][0]

    change(council, "DELETE FROM person WHERE person_id = 'C001'", f"UPDATE flag SET severity = 'low' WHERE {FLAG}")

    person, flag = audit(council).problems
    assert "person C001: is no longer" in person
    assert "severity stands as" in flag


def test_what_does_not_agree_is_listed_up_to_twenty_rows_and_counted(council: Council) -> None:
    change(council, "UPDATE person SET team = 'South'")

    problems = audit(council).problems

    assert len(problems) == 21
    assert problems[-1] == "and 19 more rows of person do not agree with their events"


def test_an_empty_record_is_whole(tmp_path: Path) -> None:
    database = open_store(f"sqlite:///{tmp_path / 'monitor.db'}")  # type: ignore[arg-type]

    found = auditing.audit(database, tmp_path)

    assert (found.events, found.head, found.problems) == (0, events.GENESIS, ())
    database.close()
    shutil.rmtree(tmp_path)


def test_every_message_of_a_night_carries_the_head(council: Council) -> None:
    mails = council.mail()

    assert {"north@example.gov.uk", "analyst@example.gov.uk"} <= {mail.to for mail in mails}
    assert [mail.subject for mail in mails if "Record sealed at" not in mail.text] == []
    assert [mail.subject for mail in mails if "Record sealed at" not in mail.html] == []
