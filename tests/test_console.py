"""Consoles whose alphabet lacks letters of the data: commands show the nearest, and none fails."""
# ruff: noqa: RUF001 - letters that are easily confused are what is tried

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import CodePage850, monitor
from support.council import NIGHT, Council, crowd, day, homeless
from support.posix import needs_posix
from support.timed_service import few_rules
from test_readme import README

LETTERS = "Łódź – Ω ≥ “é” 🙂"
TITLE = "Éloïse’s rule – Ω"

COMMANDS = (
    "run --as-at 2026-01-14 --all", "run --as-at 2026-01-14 --dry-run --steps", "run --again --by @", "check", "status",
    "status --json", "deliver", "bounced @.eml", "export --output @.csv --team @", "confirm homeless --by @",
    "waive P1 homeless --until 2026-12-10 --reason under-way --note @ --by @", "unwaive P1 homeless --by @",
    "answers @.xlsx --by @", "rules list", "rules show homeless", "rules test", "rules map", "backtest homeless",
    "explain P1", "explain P1 --json", "explain @", "measures", "report --output @", "audit", "backup @.db",
    "restore @.db --dry-run --by @ --reason @", "purge --dry-run", "purge --person P1 --by @ --reason @",
    "init @", "help @", "fleet check --quick", "scan --config @.toml",
    "onboard", "sample @.xlsx --people 5", "columns", "start --config @.toml", "run --accept @ --by @",
    "run --withdraw 2026-01-13 --by @ --reason @", "unknown-@",
)  # fmt: skip
"""As they are typed; ``@`` stands for ``LETTERS``."""


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights of a council whose texts, rule and folder have letters that few alphabets have."""
    folder = tmp_path_factory.mktemp(LETTERS)
    made = Council(folder, settings=few_rules(folder, "homeless") + f'authority = "{LETTERS}"\n')
    (folder / "fleet.toml").write_text('[[authorities]]\ncode = "314"\nconfig = "monitor.toml"\n', encoding="utf-8")
    rule = folder / "rules" / "homeless.toml"
    text = rule.read_text(encoding="utf-8")
    rule.write_text(re.sub(r"^title = .*$", f'title = "{TITLE}"', text, flags=re.MULTILINE), encoding="utf-8")
    people = [homeless("P1", team=LETTERS, worker=LETTERS, in_touch=LETTERS), *crowd(20)]
    made.night(NIGHT, people)
    made.night(day(1), people)
    return folder


def test_every_command_of_the_readme_is_tried_here():
    named = set(re.findall(r"^\| `monitor ((?:rules )?[a-z]+)", README, re.MULTILINE))

    assert {name.removeprefix("rules ") for name in named} <= {word for line in COMMANDS for word in line.split()[:2]}


@pytest.mark.parametrize("line", COMMANDS)
def test_no_command_fails_for_a_letter_that_the_console_lacks(council: Path, line: str):
    arguments = [word.replace("@", LETTERS) for word in line.split()]

    done = monitor(council, *arguments, output=CodePage850())

    assert done.stdout or done.stderr
    if "--json" in arguments:
        assert done.stdout.isascii()
        assert json.loads(done.stdout)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("cp1252", "Éloïse’s rule – ?"), ("cp850", "Éloïse's rule - ?"), ("ascii", "Eloise's rule - ?")],
)
def test_a_letter_that_the_console_lacks_is_shown_as_the_nearest_it_has(council: Path, encoding: str, shown: str):
    program = [sys.executable, "-c", "from monitor.cli.command import main; main()", "rules", "list"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}

    done = subprocess.run(program, cwd=council, env=environment, capture_output=True, check=True)

    assert f"critical: {shown} (" in done.stdout.decode(encoding)


@needs_posix("command line in bytes")
def test_words_typed_in_another_alphabet_than_the_machines_are_refused_before_anything_is_done(council: Path):
    program = [sys.executable, "-c", "from monitor.cli.command import main; main()", "confirm", "homeless", "--by"]

    done = subprocess.run([*program, "Łódź".encode("iso8859-2")], cwd=council, capture_output=True, check=False)

    assert done.returncode == 2
    assert "holds bytes that are no letters in UTF-8" in done.stderr.decode()
