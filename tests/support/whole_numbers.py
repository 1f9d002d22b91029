"""Finds whole numbers that fit limits and sums, by narrowing and trying: what somebody could have counted."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Cell: TypeAlias = tuple[str, ...]
Limits: TypeAlias = dict[Cell, tuple[int, int]]
Sum: TypeAlias = Mapping[Cell, int]

MOST_TRIES = 3_000
MOST_AWAY = 10
"""How far from the number that is there others are looked for."""


class Solver:
    """``limits``: the least and the most of each cell. Each sum of ``equal`` is nought, of ``at_most`` no more.

    What it finds is checked by nothing but these, so a value found is a value that may be.
    """

    def __init__(self, limits: Limits, equal: Sequence[Sum], at_most: Sequence[Sum]) -> None:
        self._sums = [*equal, *({cell: -factor for cell, factor in row.items()} for row in equal), *at_most]
        self._about: defaultdict[Cell, list[int]] = defaultdict(list)
        for place, row in enumerate(self._sums):
            for cell in row:
                self._about[cell].append(place)
        self.limits = dict(limits)
        assert self._narrow(self.limits, range(len(self._sums)))
        self._found: defaultdict[Cell, set[int]] = defaultdict(set)
        self._near: dict[Cell, int] = {}

    def allows(self, truth: Mapping[Cell, int]) -> bool:
        """Whether the numbers fit: if not, the sums or the limits are wrong. The search begins near them."""
        limits = dict(self.limits)
        inside = all(limits[cell][0] <= number <= limits[cell][1] for cell, number in truth.items())
        limits |= {cell: (number, number) for cell, number in truth.items()}
        if not inside or not self._narrow(limits, range(len(self._sums))):
            return False
        self._tries = MOST_TRIES
        self._near = {cell: low for cell, (low, _) in (self._complete(limits) or {}).items()}
        return bool(self._near)

    def find_values(self, cell: Cell, enough: int) -> set[int]:
        """So many values of a cell, if there are, each with numbers of all other cells that fit it."""
        (low, high), near = self.limits[cell], self._near.get(cell, 0)
        for number in range(max(low, near - MOST_AWAY), min(high, near + MOST_AWAY) + 1):
            if len(self._found[cell]) >= enough:
                break
            if number not in self._found[cell]:
                self._try(cell, number)
        return self._found[cell]

    def _try(self, cell: Cell, number: int) -> None:
        limits = self.limits | {cell: (number, number)}
        if not self._narrow(limits, self._about[cell]):
            return
        self._tries = MOST_TRIES
        found = self._complete(limits)
        if found is not None:
            for each, (value, _) in found.items():
                self._found[each].add(value)

    def _complete(self, limits: Limits) -> Limits | None:
        """Limits of one number each, from narrowed ones; None where none were found."""
        nearest = {cell: min(max(self._near.get(cell, 0), low), high) for cell, (low, high) in limits.items()}
        broken = [row for row in self._sums if sum(factor * nearest[cell] for cell, factor in row.items()) > 0]
        if not broken:
            return {cell: (number, number) for cell, number in nearest.items()}
        loose = [cell for row in broken for cell in row if limits[cell][0] < limits[cell][1]]
        cell = min(loose, key=lambda each: limits[each][1] - limits[each][0])
        (low, high), near = limits[cell], nearest[cell]
        for number in sorted(range(low, high + 1), key=lambda number: abs(number - near))[:40]:
            self._tries -= 1
            tried = limits | {cell: (number, number)}
            if self._tries > 0 and self._narrow(tried, self._about[cell]):
                found = self._complete(tried)
                if found is not None:
                    return found
        return None

    def _narrow(self, limits: Limits, places: Sequence[int]) -> bool:
        """Narrow the limits by each sum until none narrows them more; False where nothing fits."""
        waiting = dict.fromkeys(places)
        while waiting:
            row = self._sums[next(iter(waiting))]
            del waiting[next(iter(waiting))]
            ends = {cell: factor * limits[cell][0 if factor > 0 else 1] for cell, factor in row.items()}
            least = sum(ends.values())
            if least > 0:
                return False
            for cell, factor in row.items():
                low, high = limits[cell]
                most = ends[cell] - least
                now = (low, min(high, most)) if factor > 0 else (max(low, -most), high)
                if now[0] > now[1]:
                    return False
                if now != (low, high):
                    limits[cell] = now
                    waiting |= dict.fromkeys(self._about[cell])
        return True
