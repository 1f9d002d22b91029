"""The README speaks of everything a person can type."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from monitor.cli.command import app

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def commands() -> Iterator[str]:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", {})
        yield from (f"{name} {one}" for one in below) if below else (name,)


def named(text: str) -> set[str]:
    """The commands a text names, ``monitor rules list|show`` among them."""
    found = set()
    for words in re.findall(r"monitor ((?:rules )?[a-z]+(?:\\?\|[a-z]+)*)", re.sub(r" (ID|RULE|\[ID\])", "", text)):
        group, _, last = words.rpartition(" ")
        found |= {f"{group} {one}".strip() for one in re.split(r"\\?\|", last)}
    return found


@pytest.mark.parametrize("command", [*commands()])
def test_the_readme_names_every_command(command: str):
    assert command in named(README)


def test_the_readme_names_no_command_that_is_not_there():
    quoted = "\n".join(re.findall(r"`(monitor [^`]+)`", README))

    assert named(quoted) - set(commands()) == set()


def test_links_within_the_readme_lead_to_a_heading():
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors
