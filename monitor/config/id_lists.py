"""The council's lists of ids: who is restricted, and which ids are one person's; read, folded and closed in one place.

A list is one id a line, or csv with the ids in one column, as a spreadsheet or a text editor saves it. What is not an
id is a problem with its line, and is never repeated: it may be a name.
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.catalogue.headings import PERSON_ID, match_headings
from monitor.catalogue.person_ids import PLAIN, fold_id, folded_id_sql, tidy_id
from monitor.catalogue.phrases import BLANK_PHRASES, BLANK_TEXTS
from monitor.errors import Problems
from monitor.words import INVISIBLE, MARKS
from monitor.workspace import literal

if TYPE_CHECKING:
    from monitor.config.settings import Config

OLD_ID, NEW_ID = "oldid", "newid"
LONGEST_ID = 64
LONGEST_LINE = 5_000
MOST_BYTES = 5_000_000
MOST_LINES = 100_000
MOST_PROBLEMS = 20
ID_HEADING = re.compile(r"(?i)(.*[\W_])?(ids?|no\.?|numbers?|ref|reference)")
OUTER = "".join(filter(str.isspace, map(chr, range(0x3001)))) + INVISIBLE + MARKS + "=,;"
"""What may stand around an id and is no part of it."""
BLANKS = BLANK_TEXTS | BLANK_PHRASES | {"none", "total", "tbc"}
EXCEL_FAULT = re.compile(
    r"#(N/A|REF!|VALUE!|NAME\?|NULL!|NUM!|DIV/0!|SPILL!|CALC!|FIELD!|BLOCKED!|CONNECT!|UNKNOWN!|BUSY!|GETTING_DATA"
    r"|MULTIVALUE|##+)|Err:\d+"
)
FAULTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"(?s).{{{LONGEST_ID + 1},}}"), "too long"),
    (EXCEL_FAULT, "a formula that failed"),
    (re.compile(r"\d\.\d+[Ee]\+?\d+|\d[Ee]\+\d+"), "a number that a spreadsheet has rounded; write the id as text"),
    (
        re.compile(r"(?i)\d{1,2}([/.-])(\d{1,2}|[a-z]{3,9})\1(\d{4}|\d{2})|\d{4}([/.-])\d{1,2}\4\d{1,2}|\d+(:\d\d)+"),
        "a date or a time",
    ),
    (re.compile(r"(?i)(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-/]\d{2,4}"), "a date or a time"),
    (re.compile(r"\d{1,3}(,\d{3})+"), "a number with commas in it; write the id as text"),
    (re.compile(r".*\s.*"), "more than one word"),
    (re.compile(r"\D*[^\W\dA-Z_]\D*"), "a word or a name"),
    (re.compile(r"0+(\.0*)?|[^\w]*"), "nothing but zeros or marks"),
    (re.compile(r".*[^\w./:+()&\\-].*"), "with a character that no id has"),
)
"""What cannot be an id, and what it is; the first that fits."""


@dataclass(frozen=True)
class ListedId:
    """One id of a list: its line, how it is written there, and how it is compared.

    ``certain``: it stands where ids stand; otherwise it may be a remark, and is an id to be on the safe side.
    """

    line: int
    text: str
    key: str
    certain: bool = True


@dataclass(frozen=True)
class RestrictedIds(Collection[str]):
    """Whom only the head of service may be shown: an id is among them however it is written."""

    keys: frozenset[str] = frozenset()

    def __contains__(self, person_id: object) -> bool:
        return bool(self.keys) and isinstance(person_id, str) and fold_id(person_id) in self.keys

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys)

    def __len__(self) -> int:
        return len(self.keys)


NOBODY_RESTRICTED = RestrictedIds()


def restricted_sql(restricted: Collection[str], column: str = "person_id") -> str:
    """Return SQL for whether the id in a column is among those restricted."""
    keys = ", ".join(literal(key) for key in sorted({fold_id(person_id) for person_id in restricted}))
    return f"coalesce({folded_id_sql(column)} IN ({keys}), false)" if keys else "false"


def read_restricted(config: "Config") -> RestrictedIds:
    """Return who is restricted: the list's ids, and every id that the list of merged ids says is the same person."""
    if config.restricted is None:
        return NOBODY_RESTRICTED
    keys = {listed.key for listed in read_ids(config.restricted)}
    return RestrictedIds(close_over(keys, read_merged(config.merged_ids)))


def close_over(keys: Collection[str], merged: Mapping[str, str]) -> frozenset[str]:
    """Return the folded ids with those of the same people: the old ids of an heir, and the heir of an old id."""
    heirs = {fold_id(old): fold_id(new) for old, new in merged.items()}
    same = {heirs.get(key, key) for key in keys}
    return frozenset({*keys, *same, *(old for old, new in heirs.items() if new in same)})


def check_lists(restricted: Path | None, merged_ids: Path | None) -> list[str]:
    """Return everything that is wrong with the lists of ids."""
    problems: list[str] = []
    for path, read in ((restricted, read_ids), (merged_ids, read_merged)):
        try:
            if path is not None:
                read(path)
        except Problems as faults:
            problems += faults.problems
    return problems


def read_ids(path: Path, name: str = "restricted") -> tuple[ListedId, ...]:
    """Return the ids of a list, each with its line; raise ``Problems`` naming every line that is none."""
    place = f"{name}: {path.name}"
    found: list[ListedId] = []
    problems: list[str] = []
    columns: tuple[int, ...] | None = None
    for number, cells in _read_rows(path, place):
        if columns is None and (columns := _find_id_columns(cells)):
            continue
        columns = columns or ()
        for n, cell in enumerate(_choose_cells(cells, columns)):
            fault = find_fault(cell)
            if fault is None:
                found.append(ListedId(number, tidy_id(cell), fold_id(cell), certain=n == 0))
            elif n == 0:
                problems.append(f"{place}: line {number}: {fault}, not an id; write one id a line")
    _raise_any(problems)
    return tuple(found)


def read_merged(path: Path | None) -> dict[str, str]:
    """Return for each old id the id that stands for it in the end; ``Problems`` names every line that is wrong."""
    return {listed.text: new for listed, new in read_merged_lines(path)}


def read_merged_lines(path: Path | None) -> list[tuple[ListedId, str]]:
    """Return each old id with its line, and the id that stands for it in the end."""
    if path is None:
        return []
    place = f"merged_ids: {path.name}"
    rows = _read_rows(path, place)
    headings = [re.sub(r"[^a-z]", "", cell.lower()) for cell in next(rows, (0, []))[1]]
    if headings.count(OLD_ID) != 1 or headings.count(NEW_ID) != 1:
        raise Problems([f"{place}: the first line must be old_id,new_id"])
    at = headings.index(OLD_ID), headings.index(NEW_ID)
    lines: list[tuple[ListedId, str]] = []
    heirs: dict[str, str] = {}
    problems = []
    for number, cells in rows:
        old, new = (cells[n] if n < len(cells) else "" for n in at)
        if problem := _find_merge_fault(old, new, heirs):
            problems.append(f"{place}: line {number}: {problem}")
            continue
        listed = ListedId(number, tidy_id(old), fold_id(old))
        lines.append((listed, tidy_id(new)))
        if listed.key != fold_id(new):
            heirs[listed.key] = tidy_id(new)
    last = {key: _follow(key, heirs) for key in heirs}
    if None in last.values():
        problems.append(f"{place}: some ids lead back to themselves; leave out the wrong line")
    _raise_any(problems)
    return [(listed, last.get(listed.key) or new) for listed, new in lines]


def find_fault(cell: str) -> str | None:
    """Return what a cell is that cannot be an id; None for what can be one."""
    if cell.isascii() and cell.isdigit() and len(cell) <= LONGEST_ID and cell.strip("0"):
        return None
    if len(cell) > LONGEST_LINE:
        return "too long"
    bare = _bare(cell.translate(PLAIN))
    shown = "".join(letter for letter in bare if letter not in INVISIBLE or letter.isspace())
    if shown.lower() in BLANKS:
        return "nothing, or what stands for nothing"
    return next((what for pattern, what in FAULTS if pattern.fullmatch(shown)), None)


def _bare(cell: str) -> str:
    return cell.strip(OUTER)


def _find_merge_fault(old: str, new: str, heirs: Mapping[str, str]) -> str | None:
    if not _bare(old) or not _bare(new):
        return "needs an old id and a new one"
    for called, cell in (("old id", old), ("new id", new)):
        if fault := find_fault(cell):
            return f"the {called} is {fault}, not an id"
    if tidy_id(old) == tidy_id(new):
        return "the old id and the new one are the same"
    if fold_id(heirs.get(fold_id(old), new)) != fold_id(new):
        return "an earlier line gives the old id another new one; keep the right line"
    return None


def _follow(key: str, heirs: Mapping[str, str]) -> str | None:
    """The id that stands for the old one in the end; None where the ids lead back to themselves."""
    seen: set[str] = set()
    text = None
    while key in heirs and key not in seen:
        seen.add(key)
        text = heirs[key]
        key = fold_id(text)
    return None if key in seen else text


def _choose_cells(cells: list[str], columns: tuple[int, ...]) -> list[str]:
    """Return the cells in which ids may stand, the first the likeliest: of these columns, if there were headings."""
    if columns:
        return [cells[n] if n < len(cells) else "" for n in columns]
    return list(dropwhile(lambda cell: not _bare(cell), cells)) or [""]


def _find_id_columns(cells: list[str]) -> tuple[int, ...]:
    """Return where the ids stand, if this first row is one of headings."""
    if any(letter.isdigit() for cell in cells for letter in cell):
        return ()
    named = [_bare(cell) for cell in cells]
    known = match_headings(named).positions.get(PERSON_ID)
    columns = [n for n, name in enumerate(named) if ID_HEADING.fullmatch(name) and n != known]
    return tuple(columns if known is None else (known, *columns))


def _raise_any(problems: list[str]) -> None:
    if len(problems) > MOST_PROBLEMS:
        more = f"{problems[0].split(': line')[0]}: and {len(problems) - MOST_PROBLEMS:,} more lines like these"
        problems = [*problems[:MOST_PROBLEMS], more]
    if problems:
        raise Problems(problems)


# The file's lines


def _read_rows(path: Path, place: str) -> Iterator[tuple[int, list[str]]]:
    """Give each line that says something, with its number, as cells; what follows a # is a remark."""
    lines = re.split(r"\r\n|\r|\n", _read_text(path, place))
    if len(lines) > MOST_LINES:
        raise Problems([f"{place}: over {MOST_LINES:,} lines, which no list of ids has; name the right file"])
    for number, line in enumerate(lines, start=1):
        start = _bare(line)
        if not start or re.fullmatch("sep=.?", line.strip().lower()):
            continue
        if start.startswith("#"):
            if EXCEL_FAULT.fullmatch(re.split(r"[\s\",;]", start)[0]):
                yield number, [start]
            continue
        if re.fullmatch(r"\d{1,3}(,\d{3})+", start):
            yield number, [start]
            continue
        if len(line) > LONGEST_LINE or (line.isascii() and line.isalnum()):
            yield number, [line]
            continue
        said = line.split("#", 1)[0]
        parted = re.search(r"[\t;|,]", re.sub(r'"[^"]*"', "", said))
        yield number, next(csv.reader([said], delimiter=parted[0] if parted else ","), [])


def _read_text(path: Path, place: str) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Problems(
                [f"{place}: over {MOST_BYTES // 1_000_000} MB, which no list of ids is; name the right file"]
            )
        content = path.read_bytes()
    except OSError as fault:
        raise Problems([f"{place} cannot be read ({fault.strerror or type(fault).__name__})"]) from None
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Problems([f"{place} is a workbook; save it as CSV UTF-8, and name that file"])
    for encoding in _encodings(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise Problems([f"{place} cannot be read as text; save it as CSV UTF-8"])


def _encodings(content: bytes) -> tuple[str, ...]:
    """Excel saves "Unicode text" as UTF-16, and "CSV" in Windows' own letters."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    if b"\x00" in content[:200]:
        return ("utf-16-le", "utf-16-be")
    return ("utf-8-sig", "cp1252")
