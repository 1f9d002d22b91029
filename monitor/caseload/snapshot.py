"""Each accepted night's typed caseload, kept as one Parquet file for backtesting and explaining.

Nothing that decides a flag reads it; a missing one is said, never taken for a first night.
"""

import datetime as dt
import errno
import hashlib
from pathlib import Path

from monitor.caseload.rows import NOT_SUPPLIED
from monitor.catalogue.columns import BY_NAME
from monitor.errors import MonitorError
from monitor.files import make_private_folder, written_whole
from monitor.workspace import Workspace, literal, open_workspace, step


@step(reads=("caseload",))
def write(workspace: Workspace, folder: Path, *, as_at: dt.date, run_id: int) -> Path:
    """Write table ``caseload`` under a name of its own, without the columns that nobody supplies.

    Call it before ``workspace.lock_down``, which closes files to the connection.
    """
    import duckdb

    path = folder / f"{as_at.isoformat()}-run-{run_id}.parquet"
    make_private_folder(folder)
    unsupplied = ", ".join(f"{name}, {name}_gap" for name in _find_unsupplied(workspace))
    kept = f"* EXCLUDE ({unsupplied})" if unsupplied else "*"
    with written_whole(path) as unfinished:
        # Without a temporary file of DuckDB's own, which it would leave behind when the disk is full.
        options = "FORMAT parquet, USE_TMP_FILE false"
        try:
            workspace.execute(
                f"COPY (SELECT {kept} FROM caseload ORDER BY person_id) TO {literal(str(unfinished))} ({options})"
            )
        except duckdb.IOException:
            raise OSError(errno.EIO, "no room left, or the disk does not work") from None
    return path


def _find_unsupplied(workspace: Workspace) -> list[str]:
    """Find the columns of ``caseload`` that are *not supplied* in every row: reading makes them again."""
    told = ", ".join(f"bool_or({name} IS NOT NULL OR {name}_gap IS DISTINCT FROM {NOT_SUPPLIED})" for name in BY_NAME)
    (supplied,) = workspace.execute(f"SELECT {told} FROM caseload").fetchall()
    return [name for name, by_somebody in zip(BY_NAME, supplied, strict=True) if not by_somebody]


def read(workspace: Workspace, path: Path) -> None:
    """Make table ``caseload`` of a kept night; a column that is not there is *not supplied*.

    Nobody supplied it that night, or the catalogue has gained it since. Call it before ``workspace.lock_down``.
    """
    file = f"read_parquet({literal(str(path))})"
    kept = {name for name, *_ in workspace.execute(f"DESCRIBE SELECT * FROM {file}").fetchall()}
    wanted = {name: f"NULL::{column.duckdb_type}" for name, column in BY_NAME.items()}
    wanted |= {f"{name}_gap": NOT_SUPPLIED for name in BY_NAME}
    if "accommodation_since" in kept:
        wanted["elsewhere_until"] = "NULL::DATE"  # which the monitor has not always worked out
    added = "".join(f", {value} AS {name}" for name, value in wanted.items() if name not in kept)
    workspace.execute(f"CREATE OR REPLACE TABLE caseload AS SELECT *{added} FROM {file}")


def newest(folder: Path) -> Path | None:
    """Return the kept night of the latest date, if any is there."""
    return max(folder.glob("*.parquet"), default=None)


def holds(path: Path, person_id: str) -> bool:
    """Return whether a kept night has this person; ``MonitorError`` if it cannot be read."""
    import duckdb

    query = "SELECT 1 FROM read_parquet(?) WHERE person_id = ?"
    try:
        with open_workspace() as workspace:
            return bool(workspace.execute(query, [str(path), person_id]).fetchall())
    except duckdb.Error:
        raise MonitorError(
            f"{path}: cannot be read, so nobody can tell whom it holds; remove it, or put back an unharmed copy"
        ) from None


def leave_out(path: Path, target: Path, person_id: str) -> None:
    """Write what ``path`` keeps to ``target``, without this person."""
    with open_workspace() as workspace, written_whole(target) as unfinished:
        others = f"SELECT * FROM read_parquet({literal(str(path))}) WHERE person_id <> {literal(person_id)}"
        workspace.execute(f"COPY ({others} ORDER BY person_id) TO {literal(str(unfinished))} (FORMAT parquet)")


def fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
