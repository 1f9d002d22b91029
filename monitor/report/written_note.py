"""Tells whether a report's files are still those that would be written: a note beside them says what they are made of.

Page and workbook are made of the contents, the templates and the program alone. The note has the hash of all three,
and that of each file, so that one which is missing, damaged or changed by hand is written again.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

from monitor.config.settings import shipped
from monitor.files import written_whole
from monitor.messages.templates import Templates
from monitor.report.contents import Contents

NOTE = ".written.json"


def hash_basis(contents: Contents, templates: Templates) -> str | None:
    """Hash all that the files of a report are made of; None where the program cannot read itself.

    But for the head of the chain, which moves with every attempt at a night, whatever became of it.
    """
    figures = replace(contents, header=replace(contents.header, chain_head=None))
    try:
        parts = (repr(figures), templates.own_hash, _hash_program())
    except (OSError, ImportError):
        return None
    return _hash(part.encode() for part in parts)


def is_as_written(folder: Path, basis: str | None) -> bool:
    """Return whether ``folder`` holds, byte for byte, the files that were written of this basis."""
    with suppress(OSError, ValueError):
        note = json.loads((folder / NOTE).read_bytes())
        if isinstance(note, dict) and note.get("basis") == basis is not None and isinstance(note.get("files"), dict):
            return bool(note["files"]) and note["files"] == _hash_files(folder / name for name in note["files"])
    return False


def note_written(folder: Path, paths: Iterable[Path], basis: str | None) -> None:
    """Note what the files of ``folder`` are made of; without a basis they are written again next time."""
    with written_whole(folder / NOTE) as unfinished:
        unfinished.write_text(json.dumps({"basis": basis, "files": _hash_files(paths)}), encoding="utf-8")


@cache
def _hash_program() -> str:
    """Hash this version of the monitor, and its report and templates, which a checkout changes between versions."""
    sources = [*sorted(Path(__file__).parent.glob("*.py")), *sorted(shipped("templates").iterdir())]
    version = metadata.version("care-leaver-monitor")
    return _hash([version.encode(), *(path.read_bytes() for path in sources if path.is_file())])


def _hash_files(paths: Iterable[Path]) -> dict[str, str]:
    return {path.name: _hash([path.read_bytes()]) for path in paths}


def _hash(parts: Iterable[bytes]) -> str:
    """Hash the parts, each with its length, so that none runs into the next."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(b"%d:" % len(part))
        whole.update(part)
    return whole.hexdigest()
