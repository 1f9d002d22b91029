"""Files that appear whole or not at all, and that only their owner can read."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errors import MonitorError


def make_private_folder(folder: Path) -> None:
    """Make ``folder`` and those above it that are missing, open to the owner alone."""
    missing = [folder]
    while not missing[-1].exists() and missing[-1] != missing[-1].parent:
        missing.append(missing[-1].parent)
    try:
        for each in reversed(missing):
            if not each.is_dir():
                each.mkdir(mode=0o700, exist_ok=True)
    except OSError as fault:
        raise MonitorError(
            f"{folder}: cannot be made ({fault.strerror}); name a folder you may write to"
        ) from None


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    Whatever goes wrong, ``path`` is left as it was and nothing half-written stays behind.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield unfinished
        flush_to_disk(unfinished)
        unfinished.replace(path)
        flush_to_disk(path.parent)
    except OSError as fault:
        raise MonitorError(
            f"{path}: cannot be written ({fault.strerror}); free some space or name another place"
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Return once ``path``, a file or a folder, is safe from a power cut."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
