"""What a command imports: a library that is slow to load and has nothing to do costs every command its time."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import monitor
from test_cli import CONFIG, write_council

MODULES = """
import sys
from monitor.cli.command import run_command
run_command()
print(" ".join(sys.modules))
"""
OF_THE_SERVICE = {"structlog", "pygments", "apscheduler", "httpx", "jwt"}
OF_A_MIGRATION = {"alembic", "mako"}
OF_A_FAULT = {"tenacity"}
OF_A_NEW_RULEBOOK = {"sqlglot"}
OF_A_FILE = {"xlsxwriter", "python_calamine", "holidays"}
OF_A_NIGHT = {"duckdb", "jinja2"}
ALWAYS_SPARED = OF_THE_SERVICE | OF_A_MIGRATION | OF_A_FAULT | OF_A_NEW_RULEBOOK | OF_A_FILE


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A council after a night, which wrote no workbook and kept the checked rulebook."""
    folder = tmp_path_factory.mktemp("council")
    write_council(folder)
    (folder / "monitor.toml").write_text(f"{CONFIG}[report]\nevery_night = false\n", encoding="utf-8")
    (folder / "data").mkdir(mode=0o700)
    assert monitor(folder, "run").returncode == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (("--help",), ALWAYS_SPARED - {"pygments"} | OF_A_NIGHT | {"sqlalchemy", "sqlmodel", "pydantic", "filelock"}),
        (("status",), ALWAYS_SPARED | OF_A_NIGHT | {"rich", "filelock", "smtplib"}),
        (("audit",), ALWAYS_SPARED | {"jinja2", "rich", "filelock", "smtplib"}),
        (("measures",), ALWAYS_SPARED | {"filelock", "smtplib"}),
        (("waive", "0012", "homeless"), ALWAYS_SPARED | {"rich", "smtplib"}),
        (("explain", "0012"), ALWAYS_SPARED | {"filelock", "smtplib"}),
        (("export", "--output", "flags.csv"), ALWAYS_SPARED | {"rich", "filelock", "smtplib"}),
        (("check",), ALWAYS_SPARED | {"filelock"}),
        (("run",), ALWAYS_SPARED),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_imports_no_library_that_it_does_not_need(
    council: Path, tmp_path: Path, arguments: tuple[str, ...], spared: set[str]
) -> None:
    shutil.copytree(council, tmp_path, dirs_exist_ok=True)

    command = [sys.executable, "-c", MODULES, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    modules = set(done.stdout.splitlines()[-1].split())
    assert "monitor.cli.command" in modules
    assert sorted(spared & modules) == []
