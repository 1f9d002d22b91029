"""README and handbook speak of everything a person can type, set or find, and lead where they say."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

from monitor import errors
from monitor.cli.command import app
from monitor.config.settings import Config, RuleSettings
from monitor.config.settings_file import FileNames, read_settings
from monitor.fleet.fleet_settings import FleetFile
from monitor.handbook.topics import PAGES, TOPICS, read_topic
from monitor.scan.scan_settings import ScanFile

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WRITTEN = {path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(PAGES.glob("*.md")))}
MOST_LINES = 180
LARGEST_PICTURE = 60_000


def commands() -> Iterator[str]:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", {})
        yield from (f"{name} {one}" for one in below) if below else (name,)


def named(text: str) -> set[str]:
    """The commands a text names, ``monitor rules list|show`` among them."""
    found = set()
    for words in re.findall(
        r"monitor ((?:rules |fleet )?[a-z]+(?:\\?\|[a-z]+)*)", re.sub(r" (ID|RULE|\[ID\])", "", text)
    ):
        group, _, last = words.rpartition(" ")
        found |= {f"{group} {one}".strip() for one in re.split(r"\\?\|", last)}
    return found


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("script", ["run", "versions"])
def test_the_readmes_two_lines_are_what_the_checks_run(script: str):
    typed = re.findall(r"^python3 -m venv .+$", README, re.MULTILINE)

    ran = (ROOT / ".ci" / script).read_text(encoding="utf-8").splitlines()

    assert [line.strip() for line in ran if "python3 -m venv" in line] == typed
    assert [line.rpartition("&& ")[2] for line in typed] == ["monitor run --config config.example.toml", "pytest"]


@pytest.mark.parametrize("command", [*commands()])
def test_the_readme_names_every_command(command: str) -> None:
    assert command in named(README)


def test_a_command_stands_once_in_the_readmes_table() -> None:
    first = re.findall(r"^\| `(monitor [^`]+)` \|", README, re.MULTILINE)
    ways = [re.sub(r"=?[A-Z\[\].|]+", "", row) for row in first]

    assert len(ways) == len(set(ways))


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.stem)
def test_no_command_and_no_topic_is_named_that_is_not_there(page: Path) -> None:
    quoted = "\n".join(re.findall(r"`(monitor [^`]+)`", WRITTEN[page]))

    groups = {command.split()[0] for command in commands() if " " in command}
    assert named(quoted) - set(commands()) - groups == set()
    assert set(re.findall(r"`monitor help ([a-z-]+)`", WRITTEN[page])) <= set(TOPICS)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.stem)
def test_a_link_leads_to_a_heading_or_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", WRITTEN[page], flags=re.DOTALL))

    assert {link[1:] for link in links if link.startswith("#")} <= anchors(WRITTEN[page])
    assert [link for link in links if "#" not in link and not (page.parent / link).is_file()] == []


def test_the_readme_is_short_and_its_pictures_are_small() -> None:
    pictures = [*(PAGES / "pictures").iterdir()]

    assert len(README.splitlines()) <= MOST_LINES
    assert {picture.name for picture in pictures} == set(re.findall(r"pictures/([\w.-]+)", README))
    assert [picture.name for picture in pictures if picture.stat().st_size > LARGEST_PICTURE] == []


def test_readme_and_handbook_give_every_exit_code() -> None:
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.MonitorError)
    }

    for text in (README, read_topic("commands")):
        table = text.split("| Exit code |")[1].split("\n\n")[0]
        assert {int(code) for code in re.findall(r"^\| (\d) \|", table, re.MULTILINE)} == {0, *raised}


def settings(model: type[BaseModel]) -> Iterator[str]:
    """Every key of a table of the config and of the tables in it."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        yield from (key for inner in _tables(field.annotation) for key in settings(inner))


def _tables(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables(inner)


def test_the_handbook_shows_every_setting() -> None:
    shown = set(re.findall(r"\w+", read_topic("settings")))

    assert set(settings(Config)) - shown == set()


@pytest.mark.parametrize(("name", "model"), [("fleet.toml", FleetFile), ("scan.toml", ScanFile)])
def test_the_handbook_shows_every_key_of_the_other_files(name: str, model: type[BaseModel], tmp_path: Path) -> None:
    (shown,) = re.findall(rf"```toml\n# {name}\n(.*?)```", read_topic("councils"), flags=re.DOTALL)
    (tmp_path / name).write_text(shown, encoding="utf-8")

    file = read_settings(tmp_path / name, model, FileNames("--config", "monitor help councils"))

    assert set(settings(model)) - set(settings(RuleSettings)) - set(re.findall(r"\w+", shown)) == set()
    assert isinstance(file, model)
