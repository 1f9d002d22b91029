"""What commands print without a table: lines, or JSON; and what a person who waits sees meanwhile."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show a spinner that names the step in hand; nothing when nobody is watching."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console  # takes long to load, and most commands print no table

    with Console(stderr=True).status("Starting") as status:
        yield lambda step: status.update(step)


def print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, default=str, indent=2, ensure_ascii=False) + "\n")


def print_account(lines: Iterable[str], content: Any, *, as_json: bool) -> None:
    """Print plain lines, or the same as JSON."""
    if as_json:
        print_json(content)
    else:
        for line in lines:
            sys.stdout.write(f"{line}\n")
