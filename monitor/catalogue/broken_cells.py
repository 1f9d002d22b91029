"""Cells whose content a file does not give: what stands in their place on the way to the caseload, and why.

A source writes one of these texts where it finds something that is neither a value nor blank. Each has the form of a
spreadsheet's own error value (#N/A), so that all who read cells take it for unreadable. Somebody who types one into
a cell makes that cell unreadable, as #N/A would.
"""

import re
from collections.abc import Mapping

from monitor.workspace import literal

NOT_CALCULATED = "#NOT_CALCULATED!"
MERGED = "#MERGED!"
CUT_SHORT = "#CUT_SHORT!"

REASONS: Mapping[str, str] = {
    NOT_CALCULATED: "a formula that was never calculated; open the file in Excel and save it",
    MERGED: "inside a merged block of several columns; unmerge it and fill in each cell",
    CUT_SHORT: "the row is cut short before this cell; export the list again",
}
A_FAILED_FORMULA = "a formula that failed; put right what it looks up, or type the value"

_BROKEN = r"#[A-Z0-9_/]+[!?]?|Err:\d+"
_PATTERN = re.compile(_BROKEN)

BROKEN = f"regexp_full_match(t, '{_BROKEN}')"
"""SQL: whether the tidy text ``t`` stands for a cell whose content is not there."""

BROKEN_BECAUSE = (
    f"CASE t {' '.join(f'WHEN {literal(text)} THEN {literal(why)}' for text, why in REASONS.items())} "
    f"ELSE {literal(A_FAILED_FORMULA)} END"
)
"""SQL: why, of a text that is ``BROKEN``."""


def explain_broken(text: str) -> str | None:
    """Return why the cell's content is not there; None where the text is a cell's own."""
    bare = text.strip()
    return REASONS.get(bare, A_FAILED_FORMULA) if _PATTERN.fullmatch(bare) else None
