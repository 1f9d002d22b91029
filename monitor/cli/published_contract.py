"""``monitor columns --format``: the contract of a typed caseload, for the program that makes one."""

from pathlib import Path

import typer

from monitor.catalogue.caseload_contract import contract_columns, spark_ddl
from monitor.files import make_private_folder, written_whole
from monitor.workspace import literal, make_table, open_workspace

FORMATS = ("parquet", "spark-ddl")


def publish_contract(published: str | None, to: Path | None) -> str:
    """Write the contract to ``to`` and say so; without it return the contract as text.

    parquet: an empty table, or each column and its DuckDB type; spark-ddl: one line for ``StructType.fromDDL``.
    """
    if published not in FORMATS:
        said = f'"{published[:40]}" is no format' if published else "missing beside --to"
        raise typer.BadParameter(f"{said}; write parquet or spark-ddl", param_hint="--format")
    if to is None:
        lines = [f"{name} {kind}" for name, kind in contract_columns()]
        return "\n".join(lines) if published == "parquet" else spark_ddl()
    make_private_folder(to.absolute().parent)
    with written_whole(to) as unfinished:
        if published == "spark-ddl":
            unfinished.write_text(f"{spark_ddl()}\n", encoding="utf-8", newline="\n")
        else:
            with open_workspace() as workspace:
                make_table(workspace, "caseload_v1", dict(contract_columns()))
                workspace.execute(
                    f"COPY caseload_v1 TO {literal(str(unfinished))} (FORMAT parquet, USE_TMP_FILE false)"
                )
    return f"caseload_v1, {len(contract_columns())} columns, written to {to}"
