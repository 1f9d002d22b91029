"""What a command imports: a library that is slow to load and has nothing to do costs every command its time."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.command import monitor
from test_cli import CONFIG, write_council

ROOT = Path(__file__).parent.parent
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
        (("help", "lead"), ALWAYS_SPARED | OF_A_NIGHT | {"markdown_it", "sqlalchemy", "filelock", "smtplib"}),
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


BUILD = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from monitor.messages.templates import compile_shipped
from monitor.rulebook.kept_rulebook import write_built
"""


def test_a_wheel_is_built_with_what_the_build_requires_alone() -> None:
    """What installs the project builds it where nothing else is installed yet: on Windows, no time zones either."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed, built = (
        {re.split(r"[\[<>=~! ]", each)[0] for each in group}
        for group in (project["project"]["dependencies"], project["build-system"]["requires"])
    )
    absent = {"pyjwt": "jwt", "python-calamine": "python_calamine"}
    names = [absent.get(each, each.replace("-", "_")) for each in needed - built] + ["sqlalchemy"]

    subprocess.run([sys.executable, "-c", BUILD, *names], env={**os.environ, "PYTHONTZPATH": ""}, check=True)
