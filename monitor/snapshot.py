"""Each accepted night's typed caseload, kept as one Parquet file for backtesting and explaining.

Nothing that decides a flag reads it; a missing one is said, never taken for a first night.
"""

import datetime as dt
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.catalogue.columns import COLUMNS
from monitor.files import make_private_folder, written_whole

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def write(con: "DuckDBPyConnection", folder: Path, *, as_at: dt.date, run_id: int) -> Path:
    """Write table ``caseload`` under a name of its own.

    Call it before ``workspace.lock_down``, which closes files to the connection.
    """
    path = folder / f"{as_at.isoformat()}-run-{run_id}.parquet"
    make_private_folder(folder)
    with written_whole(path) as unfinished:
        target = str(unfinished).replace("'", "''")
        con.execute(f"COPY (SELECT * FROM caseload ORDER BY person_id) TO '{target}' (FORMAT parquet)")
    return path


def read(con: "DuckDBPyConnection", path: Path) -> None:
    """Make table ``caseload`` of a kept night; a column the catalogue has gained since is *not supplied*.

    Call it before ``workspace.lock_down``.
    """
    con.execute("CREATE OR REPLACE TABLE caseload AS SELECT * FROM read_parquet(?)", [str(path)])
    kept = {row[0] for row in con.execute("DESCRIBE caseload").fetchall()}
    for column in COLUMNS:
        if column.name not in kept:
            con.execute(f'ALTER TABLE caseload ADD COLUMN "{column.name}" {column.duckdb_type}')
        if f"{column.name}_gap" not in kept:
            con.execute(f"ALTER TABLE caseload ADD COLUMN \"{column.name}_gap\" VARCHAR DEFAULT 'not supplied'")


def fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
