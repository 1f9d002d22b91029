"""What was found of one list of the config: how many of its entries match something in the data, and which do not."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from monitor.words import fold_name, one_line

MOST_NAMED = 20
LONGEST = 60


@dataclass(frozen=True)
class ListFinding:
    """One list: what is said of it, in lines fit for the terminal, and whether something in it matches nothing.

    ``state``: what of it is told again only when it changes. ``named``: the same lines for the one reader who may be
    shown the list's ids. ``is_spelling``: not a list of the config, but a text of a cell that should stand in one.
    """

    name: str
    lines: tuple[str, ...]
    is_fault: bool = False
    state: str = ""
    named: tuple[str, ...] = ()
    is_spelling: bool = False

    @property
    def token(self) -> str:
        """Return the word under which a message remembers that it told this; it tells nothing itself."""
        digest = hashlib.sha256(self.state.encode()).hexdigest()[:4]
        return f"list:{fold_name(self.name).replace(' ', '-')}:{digest}"


def find_unmatched(name: str, entries: Sequence[str], matched: Collection[str], *, what: str) -> ListFinding:
    """Return what is found of a list of names, of which those in ``matched`` (folded) occur."""
    unmatched = [entry for entry in dict.fromkeys(entries) if fold_name(entry) not in matched]
    number = len(dict.fromkeys(entries))
    line = f"{name}: {number - len(unmatched)} of {number} {what}"
    if unmatched:
        line += f"; nothing matches {quote_names(unmatched)}"
    return ListFinding(name, (line,), bool(unmatched), state=repr(sorted(map(fold_name, unmatched))))


def quote_names(names: Sequence[str]) -> str:
    """Return "one", "two" and 3 more."""
    named = ", ".join(f'"{one_line(name)[:LONGEST]}"' for name in names[:MOST_NAMED])
    return named + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def count_names(counts: Sequence[tuple[str, int]]) -> str:
    """Return "one" (12), "two" (3) and 3 more."""
    named = ", ".join(f'"{one_line(name)[:LONGEST]}" ({number:,})' for name, number in counts[:MOST_NAMED])
    return named + (f" and {len(counts) - MOST_NAMED} more" if len(counts) > MOST_NAMED else "")
