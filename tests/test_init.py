"""A folder to start from: it works at once, says what to do next, and overwrites nothing."""
# ruff: noqa: RUF001 - PowerShell takes curly quotes for quotes, so they are tried

import contextlib
import datetime as dt
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import monitor
from support.posix import WINDOWS, needs_posix

from monitor.cli import new_folder
from monitor.config.settings import load_config
from monitor.errors import Problems
from monitor.handbook.topics import read_topic
from monitor.messages.templates import open_templates
from monitor.rulebook import examples
from monitor.rulebook.rule_folders import load_rulebook
from monitor.workdays import london_date

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
    (first, *_) = list_typed(made.stdout)
    night = monitor(tmp_path, *first)

    assert made.returncode == 0, made.stderr
    assert "1. Try it with the invented people:\n" in made.stdout
    assert night.returncode == 0, night.stderr
    assert "accepted" in night.stdout
    assert list((folder / "data" / "outbox").rglob("*.eml"))
    assert sorted(name for name in name_files(folder) if f"`{name}`" not in said_files()) == []


def list_typed(steps: str) -> list[list[str]]:
    """The lines to type of what ``init`` prints, as a shell takes them apart, without their program, which is here."""
    apart = take_apart if WINDOWS else shlex.split
    lines = [apart(line) for line in steps.splitlines() if line.startswith("   ")]
    assert all(shutil.which(program) for program, *_ in lines)
    return [words for _, *words in lines]


def take_apart(line: str) -> list[str]:
    """The words of a line, as PowerShell takes it apart: nothing means more in single quotes but one of them, twice."""
    words = re.findall(r"""'((?:[^']|'')*)'|"([^"]*)"|([^\s'"]+)""", line.strip().removeprefix("& "))
    return [
        re.sub("(['\u2018\u2019\u201a\u201b])\\1", r"\1", single) or double or plain for single, double, plain in words
    ]


@pytest.mark.parametrize(
    "place", [r"C:\Users\Zoë\monitor.exe", r"C:\a b\m.exe", r"C:\O'Brien & Söhne\$(m) `x‘", "D:\\50%"]
)
def test_a_line_to_type_on_windows_is_taken_apart_into_its_words_again(place: str) -> None:
    line = new_folder.type_in_powershell(place, "run", "--config", place)

    assert take_apart(line) == [place, "run", "--config", place]
    assert line.startswith("& ") is (line.removeprefix("& ")[0] in "'\"")
    assert re.search(r"[$`&%]", re.sub("'[^']*'|^&", "", line)) is None


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


def read_unit(path: Path) -> list[tuple[str, str]]:
    """The directives of a unit, each with its value, ``%%`` as the ``%`` that it stands for."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "#;["]
    return [(name, value.replace("%%", "%")) for name, _, value in (line.partition("=") for line in lines)]


@needs_posix("shell and systemd")
def test_each_next_step_works_as_it_is_printed_and_then_what_the_units_run(tmp_path: Path) -> None:
    folder = tmp_path / '$HOME `of` "o\'Leary", 100%'
    made = new_folder.make(folder, today=london_date(dt.datetime.now(dt.UTC)), people=30)

    lines = list_typed("\n".join(made.next_steps))
    done = [monitor(tmp_path, *words) for words in lines]
    shutil.rmtree(folder / "data")
    (folder / "data").mkdir()
    ran = []
    for name in new_folder.UNITS[:2]:
        unit = read_unit(folder / "deploy" / name)
        said = dict(unit)
        assert shlex.split(said["ReadWritePaths"]) == [said["WorkingDirectory"]] == [str(folder / "data")]
        for line in (value for directive, value in unit if directive == "ExecStart"):
            program, *words = shlex.split(line.removeprefix("-").replace("$$", "$"))
            assert os.access(program, os.X_OK)
            # The service stays; that it can be started so is all that is asked here.
            ran.append(monitor(Path(said["WorkingDirectory"]), *words, *(["--help"] if words[0] == "start" else [])))

    assert [words[0] for words in lines] == ["run", "check", "run"]
    assert [each.returncode for each in done] == [0, 0, 0], done
    # Before the first night there is nothing to purge, which keeps no night back: its line begins with a dash.
    assert [each.returncode for each in ran] == [0, 3, 0], ran
    assert "accepted" in ran[-1].stdout
    timer = dict(read_unit(folder / "deploy" / new_folder.UNITS[2]))
    assert timer["OnCalendar"] == "*-*-* 02:30:00 Europe/London"  # as [service] run_at


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


SOURCE = Path(__file__).parents[1]
MONITOR_USER = 10001


def find_builder() -> str | None:
    """A program here that builds images, if its daemon answers."""
    for program in filter(shutil.which, ("docker", "podman")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            if not subprocess.run([program, "info"], capture_output=True, timeout=20, check=False).returncode:
                return program
    return None


def read_dockerfile(path: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The commands of its first lines by the word that each begins with, and its instructions in order."""
    text = path.read_text(encoding="utf-8").replace("\\\n#", "").replace("\\\n", "")
    typed = [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]
    steps = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {line.split()[0]: line for line in typed if not line.startswith("docker run")}, [
        (name, rest) for name, _, rest in steps
    ]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_posix("containers of this kind")
def test_the_image_is_built_or_its_steps_run_and_its_user_reads_the_config(open_folder: Path) -> None:
    folder = open_folder / "my service"
    new_folder.make(folder, today=london_date(dt.datetime.now(dt.UTC)), people=30)
    typed, steps = read_dockerfile(folder / "deploy" / "Dockerfile")
    if os.geteuid() == 0:
        subprocess.run(typed["chgrp"], shell=True, check=True)
        for path in (folder, *folder.rglob("*")):
            status, of_data = path.stat(), path.is_relative_to(folder / "data")
            needed = (0o7 if of_data else 0o5) if path.is_dir() else 0o4
            assert (status.st_uid if of_data else status.st_gid) == MONITOR_USER, path
            assert status.st_mode >> (6 if of_data else 3) & needed == needed, path
            assert not status.st_mode & (0o077 if path == folder / "data" else 0o007), path

    if builder := find_builder():
        build = shlex.split(typed["docker"].replace("docker", builder, 1))
        subprocess.run(build, cwd=SOURCE, check=True, capture_output=True)
        command = [builder, "run", "--rm", "--read-only", "--cap-drop", "ALL", "--tmpfs", "/tmp:mode=0700,uid=10001",
                   "-v", f"{folder}:/config:ro", "-v", f"{folder}/data:/config/data", build[-2], "check"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    else:
        pytest.importorskip("hatchling", reason="neither a builder of images nor what builds the package is here")
        place = Image(open_folder / "image", folder)
        for name, rest in steps:
            place.follow(name, rest)
        done = place.run("check")
        assert place.start == ["start"]

    assert done.returncode == 0, done.stdout + done.stderr


class Image:
    """The steps of a Dockerfile, followed in a folder in place of an image: a wrong path or command fails."""

    def __init__(self, root: Path, config: Path) -> None:
        """``config``: the folder that a container has as /config."""
        (root / "etc").mkdir(parents=True)
        for name in ("passwd", "group", "shadow", "gshadow"):
            (root / "etc" / name).touch()
        self.root, self.config = root, config
        # What the package needs is here; no index is asked for it.
        self.env = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_TARGET": str(root / "site"),
        }  # fmt: skip
        self.entry: list[str] = []
        self.start: list[str] = []

    def place(self, text: str) -> str:
        return text.replace("/tmp/source", f"{self.root}/tmp/source")

    def follow(self, name: str, rest: str) -> None:
        if name == "FROM":
            assert re.fullmatch(r"python:3\.1[1-4]-slim", rest)
        elif name == "RUN":
            # A user is made in the image, not on this machine; only root may even try.
            script = re.sub(r"\b(groupadd|useradd) ", rf"\1 --prefix {self.root} ", self.place(rest))
            if script == self.place(rest) or os.geteuid() == 0:
                subprocess.run(["sh", "-ec", script], env=self.env, check=True, capture_output=True, cwd=self.root)
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                to = Path(self.place(target))
                (to if target.endswith("/") else to.parent).mkdir(parents=True, exist_ok=True)
                (shutil.copytree if (SOURCE / source).is_dir() else shutil.copy)(SOURCE / source, to)
        elif name == "ENV":
            self.env |= dict(each.split("=") for each in rest.split())
        elif name == "USER":
            if os.geteuid() == 0:
                assert f":{rest}:" in (self.root / "etc" / "passwd").read_text(encoding="utf-8")
            assert rest == f"{MONITOR_USER}:{MONITOR_USER}"
        elif name in ("ENTRYPOINT", "CMD"):
            setattr(self, "entry" if name == "ENTRYPOINT" else "start", json.loads(rest))
        else:
            assert (name, rest) in {("WORKDIR", "/config"), ("STOPSIGNAL", "SIGTERM")}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = self.root / "site" / "bin" / self.entry[0]
        env = {name: value.replace("/config", str(self.config)) for name, value in self.env.items()}
        env |= {"PYTHONPATH": str(self.root / "site")}
        return subprocess.run(
            [str(program), *words], env=env, cwd=self.config, capture_output=True, text=True, check=False
        )
