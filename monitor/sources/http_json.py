"""A JSON document's list of items, one at a time: a long list is never held whole.

Numbers stay as they are written, so that an id keeps its form.
"""

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

LONGEST_VALUE = 4_000_000
"""Characters of one item, or of what stands beside the list."""

SPACE = re.compile(r"[ \t\r\n]*")


class NotReadable(ValueError):
    """The document is not JSON, or has no list where one is expected; without its place."""


def _refuse_constant(constant: str) -> None:
    raise NotReadable(f"not valid JSON ({constant} is no JSON value); ask who runs the service")


def split_keys(path: str) -> Iterator[tuple[str, str]]:
    """Return each way to read a path's first key, with what is left of the path: the whole of it first.

    A key may have a dot of its own, as ``@odata.nextLink`` has.
    """
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        yield ".".join(parts[:end]), ".".join(parts[end:])


def find_value(found: Any, path: str) -> tuple[bool, Any]:
    """Return whether there is a value at a path of keys, and the value."""
    for key, rest in split_keys(path) if isinstance(found, dict) else ():
        if key in found:
            there, value = find_value(found[key], rest) if rest else (True, found[key])
            if there:
                return True, value
    return False, None


DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)


class Document:
    """A document arriving in pieces; ``beside`` is what stood beside the list towards ``keep``, once that is read."""

    def __init__(self, pieces: Iterator[str], keep: str = "") -> None:
        self.beside: dict[str, Any] = {}
        parts = keep.split(".")
        self._keep = {".".join(parts[first:end]) for end in range(len(parts) + 1) for first in range(end)}
        self._pieces = pieces
        self._text = ""
        self._at = 0

    def items(self, path: str) -> Iterator[Any]:
        """Return the items of the list under the path of keys; the document is the list where there is none."""
        first = self._peek()
        if path and first == "[":
            raise NotReadable("a list from its first character; leave items out")
        if not path and first == "{":
            keys = ", ".join(f'"{key[:40]}"' for key in list(self._value())[:10]) or "none"
            raise NotReadable(f"an object and not a list; set items to the key that holds the list (its keys: {keys})")
        if path:
            if not (yield from self._within(path, path, self.beside)):
                raise NotReadable(f'no key "{path}"; correct items')
        else:
            yield from self._list("")
        if self._peek():
            raise self._invalid()

    def _within(self, path: str, whole: str, beside: dict[str, Any]) -> Generator[Any, None, bool]:
        """The items of the list at a path within the object that comes next; whether it is there."""
        self._take("{", whole)
        rests = dict(split_keys(path))
        found = ""
        while self._peek() != "}":
            key = self._value()
            if not isinstance(key, str):
                raise self._invalid()
            self._take(":")
            rest = rests.get(key)
            if rest is None or len(key) < len(found) or (rest and self._peek() != "{"):
                value = self._value()
                if key in self._keep:
                    beside[key] = value
            elif found:
                raise NotReadable(f'"{found}" and "{key}" could both be meant by items; ask who runs the service')
            elif not rest:
                found = key
                yield from self._list(whole)
            elif (yield from self._within(rest, whole, beside.setdefault(key, {}))):
                found = key
            if self._peek() == ",":
                self._take(",")
                if self._peek() == "}":
                    raise self._invalid()
            elif self._peek() != "}":
                raise self._invalid()
        self._take("}")
        return bool(found)

    def _list(self, whole: str) -> Iterator[Any]:
        self._take("[", whole)
        if self._peek() == "]":
            self._take("]")
            return
        yield self._value()
        while self._peek() == ",":
            self._take(",")
            yield self._value()
        self._take("]")

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if len(self._text) - self._at > LONGEST_VALUE or not self._more():
                    raise self._invalid() from None
            except RecursionError:
                raise self._invalid() from None
            else:
                # A number at the end of what has arrived may go on.
                if end < len(self._text) or not self._more():
                    self._at = end
                    return value

    def _peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            found = SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _take(self, mark: str, whole: str = "") -> None:
        if self._peek() != mark:
            if whole and self._peek():
                raise NotReadable(f'no list under "{whole}"; correct items')
            raise self._invalid()
        self._at += 1

    def _more(self) -> bool:
        for piece in self._pieces:
            if piece:
                self._text = self._text[self._at :] + piece
                self._at = 0
                return True
        return False

    @staticmethod
    def _invalid() -> NotReadable:
        return NotReadable("not valid JSON, or cut short; ask who runs the service")
