"""Files and folders that appear whole or not at all, and that only their owner can read."""

import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from monitor.errors import MonitorError
from monitor.rights import close_folder

UNFINISHED = ".unfinished"
HELD = (errno.EBUSY, errno.ETXTBSY)
"""What Linux answers where nothing may take the place of a file; on a share of Windows, because it is open there."""
HELD_ON_WINDOWS = (5, 32, 33)
"""Windows' own numbers: access denied, which is what a rename over an open file gets, and two of sharing."""
TRIES_SECONDS = (0.1, 0.3, 0.6)
"""How long to wait for a virus scanner or an indexer, which looks at each new file and lets go of it."""


def make_private_folder(folder: Path) -> None:
    """Make ``folder`` and those above it that are missing, open to the owner alone."""
    try:
        for part in (*reversed(folder.parents), folder):
            _make_folder(part)
    except OSError as fault:
        raise _not_written(folder, fault) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except OSError:
        if not folder.is_dir():
            raise
    else:
        close_folder(folder)


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
        _move(unfinished, path)
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
    be there, and whoever may read it may read what is written; otherwise only the owner may. Where another program
    holds a file of ``folder`` open and the system lets nothing take its place, that file stays as it was, every other
    is replaced, and the ``MonitorError`` names it.
    """
    unfinished, replaced = _beside(folder), _beside(folder)
    try:
        if not shared:
            make_private_folder(folder.parent)
        for left_over in folder.parent.glob(f".*{UNFINISHED}"):
            shutil.rmtree(left_over)
        # Windows' Python takes 0700 for a list of rights of its own, and what is shared is to have those of its folder.
        unfinished.mkdir(mode=0o777 if shared and os.name == "nt" else 0o700)
        yield unfinished
        if shared:
            _share(unfinished, folder.parent)
        for path in (*unfinished.iterdir(), unfinished):
            flush_to_disk(path)
        _take_place(unfinished, folder, replaced)
        flush_to_disk(folder.parent)
    except OSError as fault:
        raise _not_written(folder, fault) from None
    finally:
        for spent in (unfinished, replaced):
            shutil.rmtree(spent, ignore_errors=True)


def write_each(writes: Iterable[Callable[[], object]]) -> None:
    """Do them all, though one cannot be written; then raise ``MonitorError`` with a line for each that was not."""
    faults = []
    for write in writes:
        try:
            write()
        except MonitorError as fault:
            faults.append(str(fault))
    if faults:
        raise MonitorError("\n".join(faults))


def _take_place(unfinished: Path, folder: Path, replaced: Path) -> None:
    """Put ``unfinished`` where ``folder`` is, which goes to ``replaced``; or file by file, where one is held open."""
    if folder.exists():
        try:
            _move(folder, replaced)
        except OSError as fault:
            if not _is_held(fault):
                raise
            _replace_each(unfinished, folder)
            return
    try:
        _move(unfinished, folder)
    except OSError:
        if replaced.exists():
            replaced.rename(folder)
        raise


def _replace_each(unfinished: Path, folder: Path) -> None:
    """Replace the files of ``folder`` by those of ``unfinished``, and remove the others, but for what is held open."""
    names = {path.name for path in unfinished.iterdir()}

    def change(path: Path) -> None:
        try:
            if path.name in names:
                _move(unfinished / path.name, path)
            else:
                path.unlink(missing_ok=True)
        except OSError as fault:
            raise _not_written(path, fault) from None

    gone = {path.name for path in folder.iterdir()} - names
    write_each(partial(change, folder / name) for name in sorted(names | gone))


def _move(old: Path, new: Path) -> None:
    """Give ``old`` the name ``new``; on Windows a file that was there is tried again while it is held for a moment."""
    move = old.rename if old.is_dir() else old.replace
    for seconds in TRIES_SECONDS if os.name == "nt" else ():
        try:
            move(new)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    move(new)


def _is_held(fault: OSError) -> bool:
    return fault.errno in HELD or getattr(fault, "winerror", None) in HELD_ON_WINDOWS


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
    if _is_held(fault) and path.exists():
        return MonitorError(
            f"{path}: is held open by another program ({reason}), so what it held is kept; close it there: it "
            "is written the next time"
        )
    return MonitorError(
        f"{path}: cannot be written ({reason}); check that the folder is there, is yours to write to and has room"
    )
