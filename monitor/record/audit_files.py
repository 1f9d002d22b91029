"""Compares the files beside the database with the record: the kept caseloads, and the heads of the chain."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from monitor.caseload import snapshot
from monitor.files import UNFINISHED
from monitor.record.heads import FILE_NAME, HeadLine, KeptHeads
from monitor.record.purge_files import SNAPSHOTS
from monitor.store.events import ChainRow
from monitor.store.tables import Run, table_of


def check_caseloads(store: Connection, data_folder: Path) -> tuple[int, list[str]]:
    """Compare each kept caseload with its SHA-256 on record; return how many there are, and what is wrong."""
    run, folder = table_of(Run), data_folder / SNAPSHOTS
    wanted = select(run.c.as_at, run.c.state, run.c.snapshot, run.c.snapshot_sha256).where(run.c.snapshot.is_not(None))
    kept, problems = store.execute(wanted.order_by(run.c.as_at, run.c.id)).all(), []
    for row in kept:
        path = folder / row.snapshot
        if not path.is_file():
            if row.state == "accepted":
                problems.append(f"night {row.as_at}: its kept caseload {row.snapshot} is missing")
        elif snapshot.fingerprint(path) != row.snapshot_sha256:
            problems.append(f"night {row.as_at}: its kept caseload {row.snapshot} was altered after it was kept")
    known = {row.snapshot for row in kept}
    problems += [
        f"{SNAPSHOTS}/{path.name}: no night on record made it"
        for path in sorted(folder.glob("*"))
        if path.name not in known and not path.name.endswith(UNFINISHED)
    ]
    return sum(row.state == "accepted" for row in kept), problems


class HeadsCheck:
    """The heads kept in ``heads.txt``, looked for while the chain is walked along."""

    def __init__(self, kept: KeptHeads) -> None:
        self.kept = kept
        self._by_event: dict[int, list[HeadLine]] = {}
        for line in kept.lines:
            self._by_event.setdefault(line.event_id, []).append(line)
        self._found: set[HeadLine] = set()
        self._given_up: set[str] = set()
        self._last = 0

    def meet(self, row: ChainRow) -> None:
        """Compare one row of the chain with the heads that were taken when it was the newest."""
        self._last = row.id
        for line in self._by_event.get(row.id, ()):
            if line.hash == row.hash:
                self._found.add(line)

    def give_up(self, hashes: object) -> None:
        """Note the heads that somebody went on without, on record: from the first of the two to the last."""
        if not (isinstance(hashes, list) and len(hashes) == 2):
            return
        within = False
        for line in self.kept.lines:
            within = within or line.hash == hashes[0]
            if within:
                self._given_up.add(line.hash)
            if line.hash == hashes[1]:
                within = False

    def list_problems(self) -> Iterator[str]:
        """Say the first head that is not in the chain, how many are not, and what of the file cannot be read."""
        lost = [line for line in self.kept.lines if line not in self._found and line.hash not in self._given_up]
        if lost:
            first = lost[0]
            why = "rows were taken off the end" if first.event_id > self._last else "it was changed up to there"
            more = f" ({len(lost)} heads kept there are not in it)" if len(lost) > 1 else ""
            yield (
                f"{FILE_NAME}: the head of {first.recorded_at:%Y-%m-%d %H:%M UTC} is event {first.event_id} with hash "
                f"{first.hash[:16]}, and the chain has no such event: {why}{more}"
            )
