"""Rows of a database or a service: what kind of list they are, and a number for each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.catalogue.headings import LIST_9, PERSON_ID, SUPPLEMENT, Form, check_headings
from monitor.workspace import Workspace, number_of

if TYPE_CHECKING:
    from monitor.config.source_settings import Source


def form_of(source: "Source") -> Form:
    return SUPPLEMENT if source.role_played == "detail" else LIST_9


def number_rows(workspace: Workspace, table: str, headings: Sequence[str], form: Form = LIST_9) -> int:
    """Make ``table`` of ``table``_read with a number for each row; how many.

    A database gives rows in whatever order it likes: numbered by person, the same rows always give the same night.
    """
    positions = check_headings(headings, table, form).positions
    others = sorted(position for name, position in positions.items() if name != PERSON_ID)
    order = ", ".join(f"c{position}" for position in (positions[PERSON_ID], *others))
    workspace.execute(
        f"""
        CREATE OR REPLACE TABLE "{table}_rows" AS
        SELECT row_number() OVER (ORDER BY {order}) AS "row", NULL::VARCHAR AS fault, * FROM "{table}_read" ORDER BY 1
        """
    )
    workspace.execute(f'DROP TABLE "{table}_read"')
    workspace.execute(f'CREATE OR REPLACE VIEW "{table}" AS SELECT * FROM "{table}_rows"')
    return number_of(workspace, f'SELECT count(*) FROM "{table}_rows"')
