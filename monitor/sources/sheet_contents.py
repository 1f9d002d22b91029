"""What a sheet holds that its reader does not say: cells whose content is not there, and merged blocks.

The reader hands over each as an empty cell, which would be taken for a blank: a contact whose formula was never
calculated is not a young person who was never seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.catalogue.broken_cells import MERGED, NOT_CALCULATED

BrokenCells = dict[int, dict[int, str]]
"""By row and column, both counted from 0, the text of ``broken_cells`` or the error that stands for the cell."""


@dataclass(frozen=True)
class Block:
    """A merged block of cells, counted from 0, its last row and column included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class SheetContents:
    """One sheet: the square of cells that holds its values, its broken cells and merged blocks."""

    rows: int = 0
    columns: int = 0
    broken: BrokenCells = field(default_factory=dict)
    merged: Sequence[Block] = ()


def find_uncalculated(value: str | float | None, *, calculated: bool) -> str | None:
    """Return what stands for a formula with this stored result, if it has none.

    ``calculated``: whether a spreadsheet program says it calculated the workbook. Libraries that write a formula
    store 0 or nothing as its result.
    """
    return NOT_CALCULATED if value is None or (not calculated and value in ("", 0)) else None


class MergedBlocks:
    """The merged blocks beneath a sheet's headings, filled in row by row, from the top.

    A block of one column gives its value to each of its rows. In a block of several columns, which of them the value
    is meant for is not known: every cell but the first is ``MERGED``. A row that holds nothing beside such a block,
    such as a title, is left as it is.
    """

    def __init__(self, blocks: Iterable[Block], places: Mapping[int, int], below: int) -> None:
        """Begin; ``places``: by the sheet's column, the place in a row's cells; ``below``: the headings' row."""
        self._places = places
        self._starting: dict[int, list[Block]] = {}
        self._open: dict[int, tuple[Block, str | None]] = {}
        for block in blocks:
            if block.top > below and any(block.left <= column <= block.right for column in places):
                self._starting.setdefault(block.top, []).append(block)

    def fill(self, number: int, cells: list[str | None]) -> None:
        """Fill in the row's cells; call it for each row beneath the headings in turn."""
        for block in self._starting.pop(number, ()):
            first = cells[self._places[block.left]] if block.left in self._places else MERGED
            text = first if block.left == block.right or first is None else MERGED
            self._open |= {column: (block, text) for column in self._places if block.left <= column <= block.right}
        if self._open:
            self._open = {column: one for column, one in self._open.items() if one[0].bottom >= number}
            self._fill_open(number, cells)

    def _fill_open(self, number: int, cells: list[str | None]) -> None:
        others = [
            (self._places[column], text)
            for column, (block, text) in self._open.items()
            if (number, column) != (block.top, block.left)
        ]
        wide = {
            self._places[block.left]
            for block, _ in self._open.values()
            if block.left < block.right and block.left in self._places
        }
        if all(not cell or place in wide or place in dict(others) for place, cell in enumerate(cells)):
            return
        for place, text in others:
            # Text hidden beneath a block is not what a person sees there.
            cells[place] = text if cells[place] in (None, text) else MERGED
