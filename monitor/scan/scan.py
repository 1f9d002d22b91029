"""Asks the rules of a typed caseload once, on DuckDB or Spark; counts and breaches out, and nothing remembered.

From a notebook that has a session of its own::

    from monitor.scan import scan
    scan(spark, "scan.toml")

1. What is wrong with the settings or the rules is said before anything is read; with the table, before a rule is asked.
2. Rules are asked in groups. Where a group fails, it is halved until the rule at fault stands alone: that one is named
   with the reason, and every other is asked.
3. Everything is written beside ``out`` first and takes its place at the end: if anything fails, an earlier scan stays.
"""

import datetime as dt
import glob
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from monitor.catalogue.caseload_contract import PERSON_ID, RESTS_ON
from monitor.catalogue.columns import BY_NAME
from monitor.errors import Problems, SourceError
from monitor.figures.suppression import NEAREST
from monitor.files import folder_written_whole, make_private_folder
from monitor.rulebook.evaluation import Counts
from monitor.rulebook.kept_rulebook import read_rulebook
from monitor.rulebook.rule import Rule
from monitor.rulebook.rulebook import Rulebook
from monitor.scan.pseudonyms import make_pads, read_key
from monitor.scan.rule_statements import PADS, Asked, breaches_sql, counts_sql
from monitor.scan.scan_engine import ScanEngine, StatementFailed
from monitor.scan.scan_record import (
    BREACHES,
    COUNTS,
    RECORD,
    UNSUPPRESSED,
    ToldCounts,
    check_out,
    tell_counts,
    tell_number,
    write_counts,
    write_record,
)
from monitor.scan.scan_settings import IN_A_LAKE, EngineName, ScanFile, ScanSettings, check_scan, read_scan
from monitor.scan.table_check import (
    ALWAYS,
    CellsWanted,
    TableFacts,
    TableRows,
    TableTypes,
    check_cells,
    check_rows,
    check_types,
    describe_extra,
    people_sql,
)
from monitor.words import join_words

SCANNING, LOCK = ".scanning", "lock"
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Scanned:
    """What a scan found, small counts withheld, and where it is written."""

    as_at: dt.date
    rulebook: Rulebook
    counts: tuple[ToldCounts, ...]
    not_assessed: Mapping[str, str]
    failed: Mapping[str, str]
    remarks: tuple[str, ...]
    out: str
    files: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Return 1 where a rule failed, 0 where none did."""
        return 1 if self.failed else 0


@dataclass(frozen=True)
class ScanRequest:
    """How a scan is asked for; ``session`` is a notebook's own of Spark."""

    session: Any = None
    as_at: dt.date | None = None
    engine: EngineName | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


def scan(session: Any = None, config: Path | str | Mapping[str, Any] = "scan.toml", **asked: Any) -> Scanned:
    """Scan as ``config`` says, a path or the same tables as a dict; with a ``session`` of Spark, on that.

    ``asked``: ``as_at``, ``engine``, ``environ``, each instead of what is set. Raises ``MonitorError``.
    """
    file = check_scan(config) if isinstance(config, Mapping) else read_scan(Path(config))
    return run_scan(file, ScanRequest(session, **asked))


def run_scan(file: ScanFile, request: ScanRequest) -> Scanned:
    """Scan, and write what was found; raises ``MonitorError``, with nothing written."""
    begun = dt.datetime.now(dt.UTC)
    settings = file.scan
    rulebook = read_rulebook(settings.rule_folders(), file.rule, None)
    key = None
    if settings.people == "pseudonyms":
        key = read_key(settings.pseudonym_key_env, settings.pseudonym_key_file, request.environ)
    is_local = not IN_A_LAKE.fullmatch(settings.out)
    if is_local:
        check_out(Path(settings.out))
    with _working_folder(Path(settings.out) if is_local else None) as folder:
        engine = _open_engine(settings, request, folder)
        try:
            found = _look(engine, settings, rulebook, request)
            answers = _ask(engine, found)
            if folder is None:
                engine.withdraw(settings.out)
            if settings.people != "counts":
                to = str(folder / BREACHES) if folder else f"{settings.out}/{BREACHES}"
                try:
                    answers = _write_breaches(engine, found, answers, (key, to))
                except StatementFailed as fault:
                    raise SourceError(f"{settings.out}: the breaches cannot be written: {fault.reason}") from None
            scanned = _tell(settings, rulebook, found, answers)
            record = _record(settings, engine, scanned, found) | {
                "begun_at": begun.isoformat(timespec="seconds"),
                "ended_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            }
            _publish(scanned, record, engine, folder)
        except StatementFailed as fault:
            raise SourceError(f"{settings.caseload}: cannot be looked at as caseload_v1: {fault.reason}") from None
        finally:
            engine.close()
    return scanned


# Looking at the table


@dataclass(frozen=True)
class _Found:
    """What stands before the rules are asked: the table, the day, the rules to ask, and why others are not."""

    table: TableTypes
    rows: TableRows
    facts: TableFacts
    reading: CellsWanted
    rules: tuple[Rule, ...]
    not_assessed: Mapping[str, str]
    people: str


@dataclass(frozen=True)
class _Answers:
    counts: Mapping[tuple[str, str], Counts]
    failed: Mapping[str, str]


def _look(engine: ScanEngine, settings: ScanSettings, rulebook: Rulebook, request: ScanRequest) -> _Found:
    table = check_types(settings.caseload, engine.read_types(), settings.authority, engine.dialect)
    rows = check_rows(engine, table)
    as_at = request.as_at or settings.as_at or rows.as_at
    in_force = rulebook.in_force(as_at)
    engine.prepare(in_force)
    not_assessed = {rule.id: why for rule in in_force if (why := _rests_on_roster(table, rule))}
    rules = [rule for rule in in_force if rule.id not in not_assessed]
    used = {*ALWAYS, *(name for rule in rules for name in (*rule.columns, *rule.because.names))}
    reading = CellsWanted(tuple(name for name in BY_NAME if name in used), as_at)
    facts = check_cells(engine, table, rows, reading)
    nowhere = frozenset.intersection(*facts.unsupplied.values())
    not_assessed |= {rule.id: why for rule in rules if (why := _not_supplied(rule, nowhere))}
    asked = tuple(rule for rule in rules if rule.id not in not_assessed)
    return _Found(table, rows, facts, reading, asked, not_assessed, people_sql(engine, table, facts, reading))


def _rests_on_roster(table: TableTypes, rule: Rule) -> str | None:
    """Return why a rule cannot be asked of this table, whatever its cells hold; None where it can."""
    names = {name for condition in rule.conditions for name in condition.names}
    if lacking := sorted({RESTS_ON[name] for name in names & RESTS_ON.keys()} - table.roster):
        return f"rests on {join_words(lacking)}, which the record of earlier nights has and the table does not"
    return None


def _not_supplied(rule: Rule, unsupplied: Set[str]) -> str | None:
    lacking = [name for name in rule.needs if name in unsupplied]
    return f"needs {join_words(lacking)}, which nobody supplies" if lacking else None


# Asking


def _ask(engine: ScanEngine, found: _Found) -> _Answers:
    counts: dict[tuple[str, str], Counts] = {}
    failed: dict[str, str] = {}
    for part in _groups(found.rules, engine.most_rules):
        answered, faults = _halve(part, lambda rules: engine.run(counts_sql(_asked(engine, found, rules))))
        failed |= faults
        for rules, rows in answered:
            for authority, *figures in rows:
                for which, rule in enumerate(rules):
                    ok, breach, cannot_assess = (figure or 0 for figure in figures[which * 3 : which * 3 + 3])
                    counts[authority, rule.id] = Counts(ok + breach + cannot_assess, ok, breach, cannot_assess)
    return _Answers(counts, failed)


def _asked(engine: ScanEngine, found: _Found, rules: Sequence[Rule]) -> Asked:
    return Asked(engine, tuple(rules), found.people, found.facts.gapped)


def _halve(
    rules: Sequence[Rule], ask: Callable[[Sequence[Rule]], Answer]
) -> tuple[list[tuple[Sequence[Rule], Answer]], dict[str, str]]:
    """Return what came of asking these rules, together where that works; and why those failed that fail alone."""
    if not rules:
        return [], {}
    try:
        return [(rules, ask(rules))], {}
    except StatementFailed as fault:
        if len(rules) == 1:
            return [], {rules[0].id: fault.reason}
    middle = len(rules) // 2
    first, faults = _halve(rules[:middle], ask)
    second, more = _halve(rules[middle:], ask)
    return [*first, *second], {**faults, **more}


def _write_breaches(engine: ScanEngine, found: _Found, answers: _Answers, how: tuple[bytes | None, str]) -> _Answers:
    """Write a row of each breach; a rule whose sentence or day fails has failed, and has no counts either.

    ``how``: the key of pseudonyms, None for ids, and where to.
    """
    key, to = how
    pads = engine.load_pads(PADS, make_pads(key, found.facts.authorities)) if key is not None else None
    person = engine.pseudonym(PERSON_ID) if pads else PERSON_ID

    def select(rules: Sequence[Rule]) -> str:
        parts = _groups(rules, engine.most_rules) or [()]
        return " UNION ALL ".join(breaches_sql(_asked(engine, found, part), person, pads) for part in parts)

    rules = [rule for rule in found.rules if rule.id not in answers.failed]
    try:
        engine.write(select(rules), to)
    except StatementFailed:
        worked_out = "SELECT count(due_on), count(in_breach_since), count(because) FROM ({})"
        _, faults = _halve(rules, lambda part: engine.run(worked_out.format(select(part))))
        if not faults:
            raise
        counts = {place: figures for place, figures in answers.counts.items() if place[1] not in faults}
        answers = _Answers(counts, {**answers.failed, **faults})
        engine.write(select([rule for rule in rules if rule.id not in faults]), to)
    return answers


def _groups(rules: Sequence[Rule], most: int) -> list[Sequence[Rule]]:
    return [rules[start : start + most] for start in range(0, len(rules), most)]


# Telling


def _tell(settings: ScanSettings, rulebook: Rulebook, found: _Found, answers: _Answers) -> Scanned:
    below = settings.suppress_below
    lacking: dict[tuple[str | None, str], str] = {
        (authority, rule.id): why
        for authority, names in found.facts.unsupplied.items()
        for rule in found.rules
        if rule.id not in answers.failed and (why := _not_supplied(rule, names))
    }
    nobody: dict[tuple[str | None, str], str] = {(None, rule): why for rule, why in found.not_assessed.items()}
    nobody |= {(None, rule): f"failed: {why}" for rule, why in answers.failed.items()}
    counts = {place: figures for place, figures in answers.counts.items() if place not in lacking}
    files = (COUNTS, *([BREACHES] if settings.people != "counts" else []), RECORD)
    return Scanned(
        as_at=found.reading.as_at,
        rulebook=rulebook,
        counts=tuple(tell_counts(counts, {**lacking, **nobody}, below)),
        not_assessed=found.not_assessed,
        failed=answers.failed,
        remarks=tuple(_list_remarks(found, below)),
        out=settings.out,
        files=files,
    )


def _list_remarks(found: _Found, below: int) -> Iterator[str]:
    """What whoever reads the counts has to know of the table."""
    if found.rows.as_at != found.reading.as_at:
        yield f"the table is as at {found.rows.as_at}, and the rules were asked as at {found.reading.as_at}"
    if extra := describe_extra(found.table):
        yield extra
    for name, count in sorted(found.facts.unreadable.items()):
        yield f"{name}: cells the contract does not allow, taken as unreadable: {tell_number(count, below)}"
    if below != UNSUPPRESSED:
        yield f"how many were asked, and how many of them meet it, is to the nearest {NEAREST}"
    if found.rows.presence_unknown:
        yield f"present is NULL, so no rule was asked: {tell_number(found.rows.presence_unknown, below)} rows"


def _record(settings: ScanSettings, engine: ScanEngine, scanned: Scanned, found: _Found) -> dict[str, Any]:
    """Return what ``scan.json`` says: what was asked of what, by what, and what was not."""
    below = settings.suppress_below
    return {
        "contract": "caseload_v1",
        "monitor": metadata.version("care-leaver-monitor"),
        "as_at": str(scanned.as_at),
        "engine": {"name": engine.name, "version": engine.version, "settings": dict(engine.settings)},
        "people": settings.people,
        "suppressed_below": below,
        "rules": {
            "fingerprint": scanned.rulebook.fingerprint,
            "asked": {rule.id: rule.meaning for rule in found.rules if rule.id not in scanned.failed},
            "adjusted": list(scanned.rulebook.adjustments),
        },
        "table": {
            "as_at": str(found.rows.as_at),
            "authorities": len(found.facts.authorities),
            "rows": tell_number(found.rows.count, below),
            "columns_read": list(found.reading.columns),
            "roster_columns": sorted(found.table.roster),
            "fingerprint": found.facts.fingerprint,
        },
        "not_assessed": dict(scanned.not_assessed),
        "failed": dict(scanned.failed),
        "remarks": list(scanned.remarks),
        "files": list(scanned.files),
    }


def _publish(scanned: Scanned, record: Mapping[str, Any], engine: ScanEngine, folder: Path | None) -> None:
    """Put everything in its place at once, or, in a lake, the record last: without it a scan is not whole."""
    if folder is None:
        engine.publish(scanned.out, scanned.counts, write_record(record))
        return
    write_counts(scanned.counts, folder / COUNTS)
    (folder / RECORD).write_text(write_record(record), encoding="utf-8", newline="\n")
    with folder_written_whole(Path(scanned.out).absolute()) as unfinished:
        for name in scanned.files:
            (folder / name).rename(unfinished / name)


# Opening


def _open_engine(settings: ScanSettings, request: ScanRequest, folder: Path | None) -> ScanEngine:
    """Open the engine that is asked for, over the caseload."""
    name = "spark" if request.session is not None else settings.choose_engine(request.engine)
    if name == "duckdb":
        from monitor.scan.duckdb_engine import DuckdbEngine

        if folder is None:
            raise Problems([f'scan.out: {settings.out}: is in a lake, which DuckDB is not given; use engine = "spark"'])
        keys = {settings.authority: "VARCHAR", "as_at": "DATE"}
        return DuckdbEngine(settings.caseload, keys, folder)
    from monitor.scan.spark_engine import open_spark

    return open_spark(settings, request.session, request.environ, folder)


@contextmanager
def _working_folder(out: Path | None) -> Iterator[Path | None]:
    """Yield a private folder beside ``out``, gone at the end; what a process that was killed left there goes first.

    A folder in which another scan is at work is locked, and left alone.
    """
    if out is None:
        yield None
        return
    beside = out.absolute().parent
    make_private_folder(beside)
    for left_over in beside.glob(f".{glob.escape(out.name)}.*{SCANNING}"):
        with suppress(Timeout, OSError):
            FileLock(left_over / LOCK, timeout=0).acquire().lock.release()
            shutil.rmtree(left_over)
    folder = beside / f".{out.name}.{secrets.token_hex(4)}{SCANNING}"
    make_private_folder(folder)
    try:
        with FileLock(folder / LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Door(ModuleType):
    """This module, which may be called: ``from monitor.scan import scan`` gives a notebook the module itself."""

    def __call__(self, *given: Any, **asked: Any) -> Scanned:
        return scan(*given, **asked)


sys.modules[__name__].__class__ = _Door
