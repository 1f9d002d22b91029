"""A file that another program holds open, so that nothing may take its place: as Excel does on Windows."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.posix import WINDOWS


@contextmanager
def held_open(path: Path) -> Iterator[None]:
    """Hold it. Linux lets a file that is open be replaced, but not one that is a place of a mount."""
    if WINDOWS:
        with path.open("rb"):
            yield
        return
    if subprocess.run(["mount", "--bind", path, path], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount; on Windows the same is shown without")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)
