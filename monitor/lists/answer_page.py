"""Reads the file that a team's page saves: each answer by its key, as in the workbook; nothing else of it.

It comes from outside, so whatever it holds beside text is said with its place, and nothing of the file is kept then.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.errors import Problems
from monitor.flags.answer_file import ANSWER_HEADINGS, Given
from monitor.words import did_you_mean, one_line

SUFFIX = ".json"
ANSWER = "answer"
"""What one of the file's answers is called in errors, with its number."""
VERSION = 1
"""Of the file's shape; the page writes it."""
FIELDS = ("person_id", "rule", "answer", "answer_until", "answer_reason", "answer_note", "key")
"""Of one answer."""
PARTS = ("made_by", "version", "list", "as_at", "answers")
LARGEST_FILE = 10_000_000
REMEDY = "save the answers from the page again, and send the file as it is"
FROM_PAGE = "name the file that a team's page saved"


def read(path: Path) -> tuple[str, list[Given]]:
    """Return the file's hash and its answers, as they were written; ``Problems`` if it is no such file."""
    content = _read_bytes(path)
    faults, givens = _read_answers(_parse(path, content))
    if faults:
        raise Problems([f"{path.name}, {fault}" for fault in faults])
    return hashlib.sha256(content).hexdigest(), givens


def _read_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise Problems([f"{path.name}: not a file; {FROM_PAGE}"])
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as fault:
        raise Problems([f"{path.name}: cannot be read ({fault.strerror}); {FROM_PAGE}"]) from None
    if len(content) > LARGEST_FILE:
        raise Problems([f"{path.name}: over {LARGEST_FILE // 1_000_000} MB; {FROM_PAGE}"])
    return content


def _parse(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_read_object)
    except _Twice as twice:
        raise Problems([f'{path.name}: "{twice}" stands twice in one place; {REMEDY}']) from None
    except (ValueError, RecursionError):  # a fault of the encoding is a ValueError too
        raise Problems([f"{path.name}: is no file of a team's page, or was cut short; {REMEDY}"]) from None


class _Twice(Exception):
    """A name that stands twice in one object: nobody knows which is meant."""


def _read_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(_quote(name))
        found[name] = value
    return found


def _read_answers(file: Any) -> tuple[list[str], list[Given]]:
    """Return what is wrong with the file, each with its place, and its answers."""
    if not isinstance(file, Mapping) or "answers" not in file or "version" not in file:
        return [f"the whole: is not what a team's page saves; {FROM_PAGE}"], []
    if file["version"] != VERSION or isinstance(file["version"], bool):
        shown = _quote(file["version"])
        return [f'version: "{shown}"; this monitor reads version {VERSION}: answer on the newest page'], []
    faults = [
        f'"{_quote(name)}": not of a team\'s page{did_you_mean(name[:40], PARTS)}; {REMEDY}'
        for name in sorted(file.keys() - set(PARTS))
    ]
    if not isinstance(file["answers"], list):
        return [*faults, f"answers: not a list; {REMEDY}"], []
    givens = []
    for number, answer in enumerate(file["answers"], start=1):
        wrong = list(_check_answer(answer))
        faults += [f"{ANSWER} {number}, {fault}" for fault in wrong]
        if not wrong:
            person_id, rule, word, until, reason, note, key = (answer[name].strip() for name in FIELDS)
            givens.append(Given(number, person_id, rule, key, word, until, reason, note))
    return faults, givens


def _check_answer(answer: Any) -> Iterator[str]:
    if not isinstance(answer, Mapping):
        yield f"the whole: not an answer; {REMEDY}"
        return
    for name in sorted(answer.keys() - set(FIELDS)):
        yield f'"{_quote(name)}": not of an answer{did_you_mean(name[:40], FIELDS)}; {REMEDY}'
    for name in FIELDS:
        shown = ANSWER_HEADINGS.get(name, name)
        if name not in answer:
            yield f"{shown}: missing; {REMEDY}"
        elif not isinstance(answer[name], str):
            yield f"{shown}: {_quote(answer[name])} is not text; {REMEDY}"
        elif not _is_text(answer[name]):
            yield f"{shown}: holds half a character; {REMEDY}"


def _is_text(value: str) -> bool:
    """Whether it can be written anywhere: JSON can hold half of a character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _quote(value: object) -> str:
    return one_line(str(value))[:40]
