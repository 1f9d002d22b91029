"""The means by which numbers are withheld, each such that what it promises can be seen from how it works."""

from collections.abc import Sequence

from monitor.report.contents import HIDDEN, About, Number

SMALLEST = 5
"""A smaller number, other than nought, is never shown."""


def is_small(number: Number) -> bool:
    return isinstance(number, int) and 0 < number < SMALLEST


def plain(number: Number) -> Number:
    """The number as it is, unless it is small."""
    return HIDDEN if is_small(number) else number


def near(number: Number) -> Number:
    """To the nearest ten; nought as it is, and small numbers withheld."""
    if not isinstance(number, int) or number == 0:
        return number
    return HIDDEN if is_small(number) else About(max(10, (number + 5) // 10 * 10))


def near_all(numbers: Sequence[Number]) -> list[Number]:
    """Parts of one whole to the nearest ten: where one is withheld so is another, so that [c] never means small."""
    shown = [near(number) for number in numbers]
    others = [place for place, number in enumerate(shown) if isinstance(number, About)]
    if HIDDEN in shown and others:
        shown[min(others, key=lambda place: value(numbers[place]))] = HIDDEN
    return shown


def cover(parts: Sequence[Number]) -> list[Number]:
    """Parts whose total is shown: the small ones withheld, and others with them until none can be worked out."""
    hidden = {place for place, number in enumerate(parts) if is_small(number)}
    rest = sorted(
        (place for place, number in enumerate(parts) if place not in hidden and number),
        key=lambda place: value(parts[place]),
    )
    while hidden and sum(value(parts[place]) for place in hidden) < SMALLEST + len(hidden):
        if not rest:
            hidden = set(range(len(parts)))
            break
        hidden.add(rest.pop(0))
    return [HIDDEN if place in hidden else number for place, number in enumerate(parts)]


def value(number: Number) -> int:
    return number if isinstance(number, int) else 0


def divide(parts: Sequence[Number], total: Number) -> list[Number]:
    """Parts beside the total as it is shown: with it withheld, so are they all."""
    return [HIDDEN] * len(parts) if total is HIDDEN else cover(parts)
