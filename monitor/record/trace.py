"""How one person's id is found in text: whole, and never as a part of a longer word."""

import csv
import io
import re
from html import escape

REMOVED = "(removed)"
SHORT = 4
"""A shorter id could be any number in a sentence: it is only looked for where an id stands alone."""


class Trace:
    """One id, to be looked for. ``is_telling``: it is long enough to be known in the middle of a sentence."""

    def __init__(self, person_id: str) -> None:
        self.person_id = person_id
        self._word = re.compile(rf"(?<![\w-]){re.escape(person_id)}(?![\w-])")
        self._escaped = re.compile(rf"(?<![\w-]){re.escape(escape(person_id))}(?![\w-])")
        self.is_telling = len(person_id) >= SHORT

    def is_in(self, text: str) -> bool:
        return bool(self._word.search(text) or self._escaped.search(text))

    def is_in_list(self, text: str) -> bool:
        """Whether a cell of a CSV list is the id, or, of an id that is telling, names it."""
        if self.person_id.replace('"', '""') not in text:
            return False
        if self.is_telling and self.is_in(text):
            return True
        rows = csv.reader(io.StringIO(text, newline=""))
        return any(cell.strip().removeprefix("'") == self.person_id for row in rows for cell in row)

    def blot(self, text: str) -> str:
        """Return the text without the id."""
        return self._word.sub(REMOVED, text) if self.is_telling else text
