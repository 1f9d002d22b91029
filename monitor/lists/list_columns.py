"""The columns of a list's workbook: what each is called there, and which stand on paper, how wide."""

from monitor.flags.answer_file import ANSWER_HEADINGS
from monitor.words import one_line

HEADINGS = {
    "person_id": "Young person", "title": "What is wrong", "why": "Why it is listed", "action": "What to do",
    "report_paragraphs": "Paragraphs of the report", "title_in_mail": "Called in e-mails",
    **ANSWER_HEADINGS,
}  # fmt: skip
"""Headings that are not just the name of the column; in CSV and JSON a column keeps its name."""
ON_PAPER = {
    "person_id": 10, "team": 14, "personal_adviser": 14, "title": 22, "answer": 13, "answer_until": 11,
    "answer_reason": 13, "answer_note": 19, "why": 37,
}  # fmt: skip
"""Widths of the columns that are shown and printed: of team and adviser, one."""
PAGE_WIDTH, MARGIN = 140, 0.3
"""What fits across A4 with text at 9 pt, in characters, even where another font stands in for the workbook's own; the
margin at its sides, in inches."""


def write_heading(column: str) -> str:
    """Return what a column is called in a workbook."""
    return HEADINGS.get(column) or column.replace("_", " ").capitalize()


_NAMES = {heading.casefold(): column for column, heading in HEADINGS.items()}


def read_heading(heading: str) -> str:
    """Return the name of the column that a workbook calls so; older workbooks have the name itself."""
    folded = one_line(heading).casefold()
    return _NAMES.get(folded) or folded.replace(" ", "_")
