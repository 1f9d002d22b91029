"""What a scan needs of a database: to run a statement, to write what one finds, and to say how it is set."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from monitor.catalogue.dialects import Dialect
from monitor.rulebook.rule import Rule
from monitor.scan.scan_record import ToldCounts

NOT_IN_RANGE = "a sum gave a number or a date out of range; check what its conditions add"
NOT_READ_AS = "a value could not be read as what its conditions compare it with; check those comparisons"


class StatementFailed(Exception):
    """A statement of a rule failed; ``reason`` says why without a cell's text."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ScanEngine(Protocol):
    """One database with one caseload in it; people stay there, and only counts come back."""

    name: str
    version: str
    dialect: Dialect
    most_rules: int
    """How many rules one statement may ask."""
    caseload: str
    """SQL for the caseload, as it was given."""
    settings: Mapping[str, str]
    """What it was set to, as it read back."""

    def read_types(self) -> Mapping[str, str]:
        """Return the caseload's columns with the contract's word for each type, or the database's own word."""
        ...

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement; raise ``StatementFailed`` where what it works out cannot be worked out."""
        ...

    def count_repeated(self, keys: Sequence[str], rows: int) -> int:
        """Return how many of the caseload's ``rows`` have the same ``keys`` as an earlier one."""
        ...

    def spread(self, items: Sequence[str]) -> str:
        """Return SQL for a row of each of these items that is not NULL, in a select-list."""
        ...

    def load_pads(self, table: str, pads: Mapping[str, tuple[bytes, bytes]]) -> str:
        """Return SQL for a relation authority, inner, outer, whose bytes stand in no statement."""
        ...

    def pseudonym(self, text: str) -> str:
        """Return SQL for the keyed hash of a text, beside a row of the pads."""
        ...

    def prepare(self, rules: Sequence[Rule]) -> None:
        """Make what the conditions of these rules call."""
        ...

    def write(self, statement: str, to: str) -> None:
        """Write the rows of a statement as Parquet, replacing what is there; fails as ``run`` does."""
        ...

    def withdraw(self, out: str) -> None:
        """Mark what an earlier scan left at an address in a lake as not whole, and empty its breaches."""
        ...

    def publish(self, out: str, counts: Sequence[ToldCounts], record: str) -> None:
        """Write the counts and, last, the record to an address in a lake."""
        ...

    def close(self) -> None:
        """Leave it as it was found."""
        ...
