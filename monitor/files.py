"""Files and folders that appear whole or not at all, and that only their owner can read."""

import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from monitor.errors import MonitorError

UNFINISHED = ".unfinished"


def make_private_folder(folder: Path) -> None:
    """Make ``folder`` and those above it that are missing, open to the owner alone."""
    try:
        for part in (*reversed(folder.parents), folder):
            part.mkdir(mode=0o700, exist_ok=True)
    except OSError as fault:
        raise _not_written(folder, fault) from None


def make_private_file(path: Path) -> None:
    """Make ``path`` empty, with the folders it needs, open to the owner alone; one that is there is left as it is."""
    make_private_folder(path.parent)
    try:
        if not path.is_file():
            path.touch(mode=0o600, exist_ok=True)
    except OSError as fault:
        raise _not_written(path, fault) from None


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    Whatever goes wrong, ``path`` is left as it was and nothing half-written stays behind.
    """
    unfinished = _beside(path)
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield unfinished
        unfinished.chmod(0o600)  # whoever wrote to it may have made it anew
        flush_to_disk(unfinished)
        unfinished.replace(path)
        flush_to_disk(path.parent)
    except OSError as fault:
        raise _not_written(path, fault) from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(folder: Path, *, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder`` to fill; it takes the place of ``folder`` when the block ends well.

    Whatever goes wrong, ``folder`` and all it held are left as they were. What a process that was killed left
    half-written beside it is removed first, for it may hold personal data. If ``shared``, the folder above must
    be there, and whoever may read it may read what is written; otherwise only the owner may.
    """
    unfinished, replaced = _beside(folder), _beside(folder)
    try:
        if not shared:
            make_private_folder(folder.parent)
        for left_over in folder.parent.glob(f".*{UNFINISHED}"):
            shutil.rmtree(left_over)
        unfinished.mkdir(mode=0o700)
        yield unfinished
        if shared:
            _share(unfinished, folder.parent)
        for path in (*unfinished.iterdir(), unfinished):
            flush_to_disk(path)
        if folder.exists():
            folder.rename(replaced)
        try:
            unfinished.rename(folder)
        except OSError:
            if replaced.exists():
                replaced.rename(folder)
            raise
        flush_to_disk(folder.parent)
    except OSError as fault:
        raise _not_written(folder, fault) from None
    finally:
        for spent in (unfinished, replaced):
            shutil.rmtree(spent, ignore_errors=True)


def _share(folder: Path, like: Path) -> None:
    """Give ``folder`` and its files the permissions of ``like``; on Windows they already have them."""
    if os.name != "nt":
        mode = stat.S_IMODE(like.stat().st_mode)
        for path in folder.iterdir():
            path.chmod(mode & 0o666)
        folder.chmod(mode)


def open_privately(path: Path, mode: Literal["wb", "ab"]) -> BinaryIO:
    """Return ``path`` open for writing; if it is new, only its owner can read it, whatever the umask."""
    new = os.O_CREAT | os.O_WRONLY | (os.O_APPEND if mode == "ab" else os.O_TRUNC) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, new, 0o600), mode)


def append_privately(path: Path, text: str) -> None:
    """Add UTF-8 ``text``, newlines as they are, to a file that only its owner can read."""
    with open_privately(path, "ab") as file:
        file.write(text.encode())


def add_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file that is only ever added to, safe from a power cut on return; it is its owner's alone.

    A line that was cut short, because the process was killed, is ended first. Raises ``MonitorError``.
    """
    make_private_folder(path.parent)
    try:
        is_new = not path.exists()
        with open_privately(path, "ab") as file:
            start = "" if is_new or _ends_a_line(path) else "\n"
            file.write((start + "".join(f"{line}\n" for line in lines)).encode(errors="surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            flush_to_disk(path.parent)
    except OSError as fault:
        raise MonitorError(
            f"{path}: cannot be written ({fault.strerror}); make it yours to write to, and leave what it holds"
        ) from None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def flush_to_disk(path: Path) -> None:
    """Return once ``path``, a file or a folder, is safe from a power cut."""
    if path.is_dir() and os.name == "nt":  # Windows offers no way to flush a folder
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}")


def _not_written(path: Path, fault: OSError) -> MonitorError:
    reason = fault.strerror or type(fault).__name__
    return MonitorError(
        f"{path}: cannot be written ({reason}); check that the folder is there, is yours to write to and has room"
    )
