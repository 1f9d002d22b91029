"""Where a person is named in files: lists and logs are rewritten without them, what cannot be rewritten is removed."""

import csv
import email
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from html import escape
from pathlib import Path
from typing import Literal

from monitor.files import written_whole
from monitor.record.purge_files import SAMPLE, SNAPSHOTS

REMOVED = "(removed)"
SHORT = 4
"""A shorter id could be any number in a sentence: it is only looked for where an id stands alone."""

CELL_TEXT = re.compile(r"<t(?: [^>]*)?>(.*?)</t>", re.DOTALL)

Action = Literal["rewritten", "removed"]


@dataclass(frozen=True)
class FileChange:
    """What is done to one file that names the person."""

    path: Path
    action: Action


class Trace:
    """How one id is found in text: whole, and not as a part of a longer word."""

    def __init__(self, person_id: str) -> None:
        self.person_id = person_id
        self._word = re.compile(rf"(?<![\w-]){re.escape(person_id)}(?![\w-])")
        self._escaped = re.compile(rf"(?<![\w-]){re.escape(escape(person_id))}(?![\w-])")
        self.is_telling = len(person_id) >= SHORT

    def is_in(self, text: str) -> bool:
        return bool(self._word.search(text) or self._escaped.search(text))

    def is_cell(self, cell: str) -> bool:
        return cell.strip().removeprefix("'") == self.person_id

    def blot(self, text: str) -> str:
        return self._word.sub(REMOVED, text) if self.is_telling else text


def find(data: Path, trace: Trace, *, leave: frozenset[Path]) -> tuple[list[FileChange], list[Path]]:
    """The files under ``data`` that name the person, and those of a kind that is not known here.

    Kept caseloads and samples (of invented people) aside, and whatever is in ``leave``.
    """
    changes, unknown = [], []
    for path in _files(data):
        parts = path.relative_to(data).parts
        if path in leave or parts[0] in (SNAPSHOTS, SAMPLE):
            continue
        action = _judge(path, trace)
        if action == "unknown":
            unknown.append(path)
        elif action is not None:
            changes.append(FileChange(path, action))
    return changes, unknown


def find_copies(folder: Path, trace: Trace) -> list[Path]:
    """The files of a folder that is not the monitor's own which name the person."""
    return [path for path in _files(folder) if _judge(path, trace) is not None]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _judge(path: Path, trace: Trace) -> Action | Literal["unknown"] | None:
    """What is to be done to one file; None if it does not name the person."""
    kind = path.suffix.casefold()
    if kind == ".xlsx":
        text = _workbook_text(path)
        return "unknown" if text is None else "removed" if trace.is_in(text) else None
    if kind == ".eml" or path.name.endswith(".eml.part"):
        return "removed" if trace.is_in(_mail_text(path)) else None
    content = path.read_bytes()
    if trace.person_id.encode() not in content:
        return None
    text = content.decode("utf-8", errors="replace")
    if kind == ".csv":
        return "rewritten" if _without_rows(text, trace) != text else None
    if kind == ".json" and _without_items(text, trace) is not None:
        return "rewritten" if trace.is_in(text) else None
    if not trace.is_in(text):
        return None
    if kind in (".html", ".htm", ".json"):
        return "removed"
    return "unknown" if "\0" in text else "rewritten"


def apply(change: FileChange, trace: Trace) -> None:
    """Do it, whole or not at all."""
    if change.action == "removed":
        change.path.unlink(missing_ok=True)
        return
    text = change.path.read_bytes().decode("utf-8", errors="surrogateescape")
    kind = change.path.suffix.casefold()
    if kind == ".csv":
        text = _without_rows(text, trace)
    elif kind == ".json":
        text = _without_items(text, trace) or ""
    else:
        text = "".join(line for line in io.StringIO(text, newline="") if not trace.is_in(line))
    with written_whole(change.path) as unfinished:
        unfinished.write_bytes(text.encode("utf-8", errors="surrogateescape"))


def _without_rows(text: str, trace: Trace) -> str:
    """A list without the rows that have the id in a cell; every other row stays as it is written, to the byte."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines)
    kept, start = [], 0
    for row in reader:
        written = "".join(lines[start : reader.line_num])
        start = reader.line_num
        if not any(trace.is_cell(cell) for cell in row):
            kept.append(trace.blot(written))
    return "".join(kept)


def _without_items(text: str, trace: Trace) -> str | None:
    """A JSON list of flags without the person's; None where it is something else."""
    try:
        items = json.loads(text)
    except ValueError:
        return None
    if not isinstance(items, list) or not all(isinstance(item, dict) and "person_id" in item for item in items):
        return None
    return json.dumps([item for item in items if item["person_id"] != trace.person_id], indent=2, ensure_ascii=False)


def _workbook_text(path: Path) -> str | None:
    """What its cells say; None if it is none."""
    try:
        with zipfile.ZipFile(path) as book:
            sheets = (book.read(name).decode("utf-8", errors="replace") for name in book.namelist())
            return "\n".join(text for sheet in sheets for text in CELL_TEXT.findall(sheet))
    except zipfile.BadZipFile:
        return None


def _mail_text(path: Path) -> str:
    mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    parts = (part for part in mail.walk() if not part.is_multipart())
    return "\n".join([str(mail["Subject"]), *map(_part_text, parts)])


def _part_text(part: email.message.Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", errors="replace") if isinstance(payload, bytes) else str(payload)
