"""Decides whom to tell that a cover has begun or is over: its lead and whoever covers, each once, and of nobody else.

What an address was told is kept among the parts of its messages, so that a changed last day is told and a cover taken
out of the config is told to be over.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from monitor.messages.parts import MessageContext
from monitor.messages.routes import Routes, fold
from monitor.messages.told import NOTHING_TOLD, Told

BEGINS, ENDS = "cover-begins", "cover-ends"


@dataclass(frozen=True)
class CoverNote:
    """One sentence to one reader. ``until``: the last day of a cover that begins; ``reader``: who covers."""

    what: Literal["begins", "ends"]
    role: Literal["lead", "cover"]
    team: str
    token: str
    until: date | None = None
    reader: str | None = None

    @property
    def is_reader_told(self) -> bool:
        """Whether the digest of whoever covers says the same."""
        return self.what == "begins" and self.role == "cover"


@dataclass(frozen=True)
class CoverNotice:
    """All that one reader is told of covers; it names no young person."""

    recipient: str
    night: MessageContext
    notes: tuple[CoverNote, ...]
    flag_ids: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    template: str = "cover"
    kind: str = "cover"

    @property
    def holds(self) -> tuple[str, ...]:
        return tuple(note.token for note in self.notes)


def find_cover_notes(routes: Routes, told: Mapping[str, Told]) -> dict[str, tuple[CoverNote, ...]]:
    """Return by address what it is to be told of covers tonight."""
    begun: dict[str, list[CoverNote]] = {}
    in_force: set[tuple[str, str]] = set()
    covered = set()
    for reader, covers in routes.covers.items():
        for cover in covers:
            covered.add(cover.team)
            for address, role in ((reader, "cover"), (cover.lead, "lead")):
                if address is not None and address != (reader if role == "lead" else None):
                    key = f"{role}-{_digest(fold(cover.team))}-{_digest(reader)}"
                    in_force.add((address, key))
                    token = f"{BEGINS}-{key}-{cover.until}"
                    note = CoverNote("begins", "cover" if role == "cover" else "lead", cover.team, token, cover.until,
                                     reader)  # fmt: skip
                    begun.setdefault(address, []).append(note)
    found = {
        address: [note for note in notes if note.token not in told.get(address, NOTHING_TOLD).parts]
        for address, notes in begun.items()
    }
    teams = {_digest(spelling): name for spelling, name in routes.spellings.items()}
    for address, known in told.items():
        over = _find_over(known.parts, {key for reader, key in in_force if reader == address})
        for key in over:
            role, team = key.split("-")[0], teams.get(key.split("-")[1])
            if team and not (role == "lead" and team in covered):
                note = CoverNote("ends", "cover" if role == "cover" else "lead", team, f"{ENDS}-{key}")
                found.setdefault(address, []).append(note)
    return {address: tuple(notes) for address, notes in found.items() if notes}


def _find_over(parts: Mapping[str, date], in_force: Iterable[str]) -> list[str]:
    """Return each cover of which an address was told that it began, not that it is over, and which is."""
    began: dict[str, date] = {}
    for token, on in parts.items():
        if token.startswith(f"{BEGINS}-"):
            key = "-".join(token.removeprefix(f"{BEGINS}-").split("-")[:3])
            began[key] = max(on, began.get(key, on))
    still = set(in_force)
    return [key for key, on in began.items() if key not in still and parts.get(f"{ENDS}-{key}", date.min) < on]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
