"""A JSON document's list of items, one at a time: a long list is never held whole.

Numbers stay as they are written, so that an id keeps its form.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

LONGEST_VALUE = 4_000_000
"""Characters of one item, or of what stands beside the list."""

SPACE = re.compile(r"[ \t\r\n]*")


class NotReadable(ValueError):
    """The document is not JSON, or has no list where one is expected; without its place."""


def _refuse_constant(constant: str) -> None:
    raise NotReadable(f"not valid JSON ({constant} is no JSON value); ask who runs the service")


DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)


class Document:
    """A document arriving in pieces; ``beside`` is what stood beside the list under ``keep``, once that is read."""

    def __init__(self, pieces: Iterator[str], keep: Collection[str] = ()) -> None:
        self.beside: dict[str, Any] = {}
        self._keep = keep
        self._pieces = pieces
        self._text = ""
        self._at = 0

    def items(self, path: Sequence[str]) -> Iterator[Any]:
        """Return the items of the list under the keys ``path``; the document is the list where there are none."""
        first = self._peek()
        if path and first == "[":
            raise NotReadable("a list from its first character; leave items out")
        if not path and first == "{":
            keys = ", ".join(f'"{key[:40]}"' for key in list(self._value())[:10]) or "none"
            raise NotReadable(f"an object and not a list; set items to the key that holds the list (its keys: {keys})")
        if path:
            yield from self._within(path, path, self.beside)
        else:
            yield from self._list(())
        if self._peek():
            raise self._invalid()

    def _within(self, path: Sequence[str], whole: Sequence[str], beside: dict[str, Any]) -> Iterator[Any]:
        self._take("{", whole)
        found = False
        while self._peek() != "}":
            key = self._value()
            if not isinstance(key, str):
                raise self._invalid()
            self._take(":")
            if key != path[0]:
                value = self._value()
                if key in self._keep:
                    beside[key] = value
            elif len(path) > 1:
                found = True
                yield from self._within(path[1:], whole, beside.setdefault(key, {}))
            else:
                found = True
                yield from self._list(whole)
            if self._peek() == ",":
                self._take(",")
                if self._peek() == "}":
                    raise self._invalid()
            elif self._peek() != "}":
                raise self._invalid()
        self._take("}")
        if not found:
            raise NotReadable(f'no key "{".".join(whole)}"; correct items')

    def _list(self, whole: Sequence[str]) -> Iterator[Any]:
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

    def _take(self, mark: str, whole: Sequence[str] = ()) -> None:
        if self._peek() != mark:
            if whole and self._peek():
                raise NotReadable(f'no list under "{".".join(whole)}"; correct items')
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
