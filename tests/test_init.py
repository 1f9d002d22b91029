"""A folder to start from: it works at once, says what to do next, and overwrites nothing."""
# ruff: noqa: RUF001 - PowerShell takes curly quotes for quotes, so they are tried

import datetime as dt
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from support.command import monitor
from support.posix import needs_posix

from monitor.cli import new_folder
from monitor.config.settings import load_config
from monitor.errors import Problems
from monitor.handbook.topics import read_topic
from monitor.messages.templates import open_templates
from monitor.rulebook import examples
from monitor.rulebook.rule_folders import load_rulebook

TODAY = dt.date(2026, 1, 12)
TASK = Path(new_folder.__file__).parent / "new_folder_files" / "windows-task.ps1"
BRACKETS = ("()", "{}", "[]")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name needs care wherever it is written."""
    folder = tmp_path_factory.mktemp("init") / "100% of o'Leary"
    new_folder.make(folder, today=TODAY, people=30)
    return folder


def test_the_folder_works_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "d"

    made = monitor(tmp_path, "init", "d")
    night = monitor(tmp_path, "run", "--config", "d/monitor.toml")

    assert made.returncode == 0, made.stderr
    assert f'1. Try it with the invented people: monitor run --config "{folder / "monitor.toml"}"' in made.stdout
    assert night.returncode == 0, night.stderr
    assert "accepted" in night.stdout
    assert list((folder / "data" / "outbox").rglob("*.eml"))
    assert sorted(name for name in name_files(folder) if f"`{name}`" not in said_files()) == []


def name_files(folder: Path) -> set[str]:
    """What stands in the folder, as the handbook names it."""
    places = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    at_top = {place.name if len(place.parts) == 1 else f"{place.parts[0]}/" for place in places} - {"data/"}
    in_data = [Path(*place.parts[1:]) for place in places if place.parts[0] == "data"]
    kept = {f"{place.parts[0]}/" if len(place.parts) > 1 else place.name for place in in_data}
    lists = {place.name for place in in_data if place.parts[0] == "exceptions"}
    return at_top | kept | {re.sub("^team-.*[.]", "team-NAME.", name) for name in lists}


def said_files() -> str:
    """The pages for the analyst and for IT, a folder of each date said without its date."""
    return (read_topic("analyst") + read_topic("it")).replace("/DATE/`", "/`")


def test_nothing_is_overwritten_and_every_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text("mine", encoding="utf-8")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "lead.txt").write_text("mine too", encoding="utf-8")

    with pytest.raises(Problems) as caught:
        new_folder.make(tmp_path, today=TODAY)

    assert len(caught.value.problems) == 2
    assert "nothing is overwritten" in caught.value.problems[0]
    assert (tmp_path / "monitor.toml").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["monitor.toml", "templates"]


def test_a_file_where_the_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("", encoding="utf-8")

    with pytest.raises(Problems, match="is a file; name a folder"):
        new_folder.make(tmp_path / "d", today=TODAY, people=30)


def test_the_config_reads_the_samples_as_a_councils_own_files(made: Path) -> None:
    config = load_config(made / "monitor.toml")

    assert [source.kind for source in config.sources] == ["annex-a-list-9", "supplement"]
    assert config.rules == (made / "own-rules",)
    assert config.templates is None
    assert config.data_folder == made / "data"


def test_the_example_rule_passes_its_own_examples_and_is_asked_of_nobody(made: Path) -> None:
    rulebook = load_rulebook(load_config(made / "monitor.toml").rule_folders(), {})
    rule = rulebook.find("homeless-contact")

    results = list(examples.run_rules([rule]))

    assert all(one.agrees for one in results)
    assert not rule.is_in_force(TODAY)


def test_the_templates_can_be_taken_into_use_as_they_are(made: Path) -> None:
    open_templates(made / "templates")

    assert (made / "templates" / "lead.txt").is_file()


@needs_posix("file modes")
def test_everything_it_writes_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        new_folder.make(tmp_path / "d", today=TODAY, people=30)
    finally:
        os.umask(before)

    for path in [tmp_path / "d", *(tmp_path / "d").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_units_and_the_image_name_this_folder_and_nothing_is_left_to_fill_in(made: Path) -> None:
    for path in (made / "deploy").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "@FOLDER@" not in text
        assert "@MONITOR@" not in text
        assert "@HARDENING@" not in text
    unit = (made / "deploy" / "care-leaver-monitor.service").read_text(encoding="utf-8")
    assert str(made).replace("%", "%%") in unit
    assert "ProtectSystem=strict" in unit
    image = (made / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert image.index("RUN pip") < image.index("USER 10001") < image.index("ENTRYPOINT")


def test_the_task_of_windows_takes_any_path_and_names_groups_in_no_language(tmp_path: Path) -> None:
    folder, command = Path("C:/Tom's ‘Café’ $HOME"), "C:/Łódź/monitor.exe"

    script = new_folder.write_powershell(TASK.read_text(encoding="utf-8"), folder, command)

    place = str(folder).replace("Tom's ‘Café’", "Tom''s ‘‘Café’’")
    code = [line for line in script.splitlines() if not line.lstrip("\ufeff").startswith("#")]
    assert script.startswith("\ufeff# ")
    assert f"$folder = '{place}'" in code
    assert f"$monitor = '{command}'" in code
    assert not re.search("@[A-Z]+@", script)
    assert "Administrators:" not in script
    assert all(line.count('"') % 2 == 0 for line in code)
    assert all(len({"".join(code).count(bracket) for bracket in pair}) == 1 for pair in BRACKETS)


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell is not here to ask")
def test_powershell_finds_nothing_wrong_with_the_task_of_windows(made: Path) -> None:
    script = str(made / "deploy" / "windows-task.ps1").replace("'", "''")
    asked = (
        "$faults = $null; [void][System.Management.Automation.Language.Parser]::ParseFile("
        f"'{script}', [ref]$null, [ref]$faults); $faults | ForEach-Object {{ $_.Message }}"
    )

    done = subprocess.run(["pwsh", "-NoProfile", "-Command", asked], capture_output=True, text=True, check=True)

    assert done.stdout == ""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here to ask")
def test_systemd_finds_nothing_wrong_with_the_units(made: Path) -> None:
    units = [str(path) for path in (made / "deploy").iterdir() if path.suffix in (".service", ".timer")]

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60, check=False
    )

    # What it says of other units of this machine, and of a user and a command that are not here, is not about ours.
    ours = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if "care-leaver-monitor" in line and "not executable" not in line and "User" not in line
    ]
    assert ours == []
    assert done.returncode in (0, 1)
