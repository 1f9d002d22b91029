"""What was sent, kept outside the database: ``sent.txt`` in the data folder, one line for each message taken.

    accepted_at <tab> as_at <tab> kind <tab> attempt <tab> hash of its key <tab> salt <tab> mark of its reader

A line is added as soon as a transport has taken a message, and holds no address and no person: a reader is known again
by the mark, a hash of the line's salt and the address. So a database that is lost or put back learns what people have
had since. A line of three parts, a moment, the word ``known`` and the newest event of the database, says that it knows
again what stands above.
"""

import datetime as dt
import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import MonitorError
from monitor.files import add_lines

FILE_NAME = "sent.txt"
KNOWN = "known"
LAST_BYTES = 4_096
"""Several lines."""


@dataclass(frozen=True)
class SentLine:
    """One message that a transport took. ``attempt``: the id that its attempt had in the database."""

    accepted_at: dt.datetime
    as_at: dt.date
    kind: str
    attempt: int
    key_hash: str
    salt: str
    reader: str

    def went_to(self, address: str) -> bool:
        return secrets.compare_digest(_mark(self.salt, address), self.reader)


def describe(key: str, recipient: str, sent: tuple[dt.datetime, dt.date, str, int]) -> SentLine:
    """Return the line of a message; ``sent``: when it was accepted, its night, its kind and the attempt."""
    salt = secrets.token_hex(8)
    return SentLine(*sent, hash_key(key), salt, _mark(salt, recipient))


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _mark(salt: str, address: str) -> str:
    return hashlib.sha256(f"{salt}{address.strip().lower()}".encode()).hexdigest()


def append(data_folder: Path, line: SentLine) -> None:
    """Add one line; raise ``MonitorError`` where it cannot be written."""
    at = line.accepted_at.astimezone(dt.UTC).isoformat()
    _append(data_folder, (at, line.as_at, line.kind, line.attempt, line.key_hash, line.salt, line.reader))


def note_known(data_folder: Path, now: dt.datetime, event: int) -> None:
    """Say that the database knows, from this event of its chain on, of everything above."""
    if (data_folder / FILE_NAME).exists():
        _append(data_folder, (now.astimezone(dt.UTC).isoformat(), KNOWN, event))


def _append(data_folder: Path, parts: Iterable[object]) -> None:
    add_lines(data_folder / FILE_NAME, ["\t".join(map(str, parts))])


def read_ending(data_folder: Path) -> str:
    """Read the last lines, however many there are; none where there is no file."""
    path = data_folder / FILE_NAME
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
            return file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as fault:
        raise _unread(path, fault) from None


def read(data_folder: Path, newest_event: int) -> tuple[SentLine, ...]:
    """Read what was sent since the database last knew of everything, oldest first; none where there is no file.

    ``newest_event``: of its chain, 0 without a database. One that is older than the word *known* does not know.
    """
    path = data_folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    except OSError as fault:
        raise _unread(path, fault) from None
    return parse(text, newest_event)


def _unread(path: Path, fault: OSError) -> MonitorError:
    return MonitorError(f"{path}: cannot be read ({fault.strerror}); make it yours to read")


def parse(text: str, newest_event: int) -> tuple[SentLine, ...]:
    """Return the lines after the last that says the database knows what stands above it, and did by that event."""
    lines: list[SentLine] = []
    for written in text.split("\n"):
        parts = written.split("\t")
        if len(parts) == 3 and parts[1] == KNOWN:
            if parts[2].isdigit() and int(parts[2]) <= newest_event:
                lines.clear()
        elif (line := _parse(parts)) is not None:
            lines.append(line)
    return tuple(lines)


def _parse(parts: list[str]) -> SentLine | None:
    """Return a line, or None for one that was cut short."""
    try:
        at, as_at, kind, attempt, key_hash, salt, reader = parts
        when = dt.datetime.fromisoformat(at)
        return SentLine(when, dt.date.fromisoformat(as_at), kind, int(attempt), key_hash, salt, reader)
    except ValueError:
        return None
