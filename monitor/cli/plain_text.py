"""What commands print without a table: lines, or JSON; what a person who waits sees; letters a console has not."""

import codecs
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

NEAREST_LETTER = "nearest letter"
"""How a stream treats a letter that its encoding does not have."""
NEAREST = str.maketrans(
    "–—‘’“”·•−×→≤≥łŁøØđĐßæÆœŒıþÞðÐ",  # noqa: RUF001 - these are the letters
    "--''\"\"**-x><>lLoOdDsaAoOitTdD",
)
"""Signs and letters that Unicode does not take apart itself. Each is one letter, so that tables stay straight."""


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show a spinner that names the step in hand; nothing when nobody is watching."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console  # takes long to load, and most commands print no table

    with Console(stderr=True).status("Starting") as status:
        yield lambda step: status.update(step)


def show_nearest_letters() -> None:
    """Let no command fail for a letter: a console of another alphabet shows the nearest it has, or a ``?``."""
    codecs.register_error(NEAREST_LETTER, _find_nearest)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a test's is a text in memory; pythonw.exe has none
            stream.reconfigure(errors=NEAREST_LETTER)
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")


def _find_nearest(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    letters = fault.object[fault.start : fault.end].translate(NEAREST)
    plain = (unicodedata.normalize("NFKD", letter)[0] for letter in letters)
    return "".join(letter if letter.isascii() else "?" for letter in plain), fault.end


def print_json(content: Any) -> None:
    """Print it for a program: where the output is not in UTF-8, other letters are written as JSON's escapes."""
    in_utf_8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    sys.stdout.write(json.dumps(content, default=str, indent=2, ensure_ascii=not in_utf_8) + "\n")


def print_account(lines: Iterable[str], content: Any, *, as_json: bool) -> None:
    """Print plain lines, or the same as JSON."""
    if as_json:
        print_json(content)
    else:
        for line in lines:
            sys.stdout.write(f"{line}\n")
