"""``heads.txt``: the heads of the chain outside the database."""

import datetime as dt
import stat
from pathlib import Path

from support.posix import needs_posix

from monitor.record import heads
from monitor.record.heads import HeadLine

FIRST = HeadLine(dt.datetime(2026, 1, 12, 6, 0, 0, 125, tzinfo=dt.UTC), dt.date(2026, 1, 12), 40, "ab" * 32)
SECOND = HeadLine(dt.datetime(2026, 1, 13, 6, tzinfo=dt.UTC), dt.date(2026, 1, 13), 52, "cd" * 32)


def test_lines_are_added_and_read_as_they_were(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert heads.read(folder) == heads.KeptHeads(())
    heads.append(folder, FIRST)
    heads.append(folder, SECOND)
    assert heads.read(folder) == heads.KeptHeads((FIRST, SECOND))
    assert (folder / "heads.txt").read_text(encoding="utf-8").splitlines()[1].split("\t") == [
        "2026-01-13T06:00:00+00:00", "2026-01-13", "52", "cd" * 32,
    ]  # fmt: skip


@needs_posix("file modes")
def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    heads.append(tmp_path / "data", FIRST)
    assert stat.S_IMODE((tmp_path / "data" / "heads.txt").stat().st_mode) == 0o600


def test_a_line_that_was_cut_short_is_said_and_hides_no_other(tmp_path: Path) -> None:
    heads.append(tmp_path, FIRST)
    with (tmp_path / "heads.txt").open("ab") as file:
        file.write(b"2026-01-13T06:00:00+00:00\t2026-01")
    kept = heads.read(tmp_path)
    assert kept.lines == (FIRST,)
    assert kept.unread == ("heads.txt: line 2 is no head; it was changed, or cut short while it was written",)
    heads.append(tmp_path, SECOND)
    assert heads.read(tmp_path).lines == (FIRST, SECOND)
    assert len(heads.read(tmp_path).unread) == 1
