"""How long a mail may be, in lines of a phone, and how its parts share them: the more serious first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

PHONE_LINES = 104
"""Lines that a mail may have on a phone 390 px wide: three screens. So many are about 60 rows of text at 78 columns."""
PHONE_COLUMNS, CARD_COLUMNS = 40, 36
"""Characters in one line of a phone: of the page, and of a card."""
TITLES_LENGTH = 58
"""Characters of the titles of what else is open of somebody: with the words around them, one line of text."""
TITLE = 2
"""Lines of a heading with the space above it."""


@dataclass(frozen=True)
class Wish:
    """What one part of a mail would say. ``entries``: the lines each entry takes, the most serious first.

    ``least``: entries that it says however little room there is; ``title``: lines of its heading.
    """

    entries: Sequence[int]
    least: int = 0
    title: int = 0

    def count_lines(self, said: int) -> int:
        """Count the lines of the first entries and of their heading."""
        return sum(self.entries[:said]) + (self.title if said else 0)


def share_room(room: int, wishes: Mapping[str, Wish]) -> dict[str, int]:
    """Return how many entries each part says: the least of each, then one more of each in turn while there is room.

    ``wishes``: the most serious part first. A part whose next entry has no room has no more entries.
    """
    shares = {name: min(wish.least, len(wish.entries)) for name, wish in wishes.items()}
    left = room - sum(wish.count_lines(shares[name]) for name, wish in wishes.items())
    growing = [name for name, wish in wishes.items() if shares[name] < len(wish.entries)]
    while growing:
        for name in list(growing):
            wish, said = wishes[name], shares[name]
            more = wish.count_lines(said + 1) - wish.count_lines(said)
            fits = more <= left
            if fits:
                shares[name], left = said + 1, left - more
            if not fits or shares[name] == len(wish.entries):
                growing.remove(name)
    return shares


def keep_line(titles: Sequence[str | None]) -> tuple[str | None, ...]:
    """Return the first titles that one line of text holds with the number of the others; one at least."""
    length = 0
    for number, title in enumerate(titles):
        length += 2 + len(title or "")
        if number and length > TITLES_LENGTH:
            return tuple(titles[:number])
    return tuple(titles)


def count_lines(*paragraphs: int, columns: int = PHONE_COLUMNS) -> int:
    """Count the lines of a phone that paragraphs of so many characters take."""
    return sum(ceil(length / columns) for length in paragraphs)


def add_lengths(*texts: str | None) -> int:
    """Add up the characters of texts."""
    return sum(len(text) for text in texts if text)
