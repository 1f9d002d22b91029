"""Lines added to a config leave every other line as it is, and a config is never broken."""

from pathlib import Path

import pytest
from support.posix import WINDOWS

from monitor.config.config_file import Addition, NewTeam, add_lines, write_new
from monitor.config.settings import load_config
from monitor.errors import Problems

WRITTEN = """# our council
authority = "X"   # its name
[[sources]]  # the list
name = "caseload"
kind = "annex-a-list-9"
path = "list.csv"   # exported at six
# what stands below is about the detail

[[sources]]
name = "more"
kind = "supplement"
path = "more.csv"

[sources.words.activity]
"Uni" = "F1"   # said the lead

[people]
analyst = "analyst@example.gov.uk"
"""
ADDED = (
    Addition("caseload", ("headings",), 'Type of "home"', "accommodation"),
    Addition("caseload", ("headings",), "Our no.", "person_id"),
    Addition("caseload", ("words", "accommodation"), "Own flat", "U"),
    Addition("caseload", (), "prefer", ("activity",)),
    Addition("more", ("words", "activity"), "College", "F2"),
)
TEAM = NewTeam("North", "lead@example.gov.uk")


@pytest.mark.parametrize(("mark", "ends"), [("", "\n"), ("\ufeff", "\r\n")])
def test_lines_are_added_and_every_other_stays_as_it_is(tmp_path: Path, mark: str, ends: str) -> None:
    path = tmp_path / "monitor.toml"
    path.write_bytes((mark + WRITTEN.replace("\n", ends)).encode())
    path.chmod(0o640)

    add_lines(path, ADDED, [TEAM])

    caseload, more = load_config(path).sources
    assert caseload.headings == {'Type of "home"': "accommodation", "Our no.": "person_id"}
    assert caseload.words == {"accommodation": {"Own flat": "U"}}
    assert caseload.prefer == ("activity",)
    assert more.words == {"activity": {"Uni": "F1", "College": "F2"}}
    assert load_config(path).teams[0].lead == "lead@example.gov.uk"
    lines = path.read_bytes().decode().removeprefix(mark).split(ends)
    left = iter(lines)
    assert all(line in left for line in WRITTEN.split("\n")[:-1])
    assert lines.index("# what stands below is about the detail") > lines.index('"Own flat" = "U"')
    assert WINDOWS or path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("change", "addition"),
    [
        (("", ""), Addition("caseload", ("words", "accommodation"), "Own flat", "NONE")),
        (('path = "list.csv"', 'path = "list.csv"\nheadings = { "A" = "uasc" }'), ADDED[0]),
        (('"Uni" = "F1"', '"College" = "F1"'), ADDED[4]),
    ],
)
def test_a_config_that_would_be_broken_is_left_as_it_was(
    tmp_path: Path, change: tuple[str, str], addition: Addition
) -> None:
    path = tmp_path / "monitor.toml"
    path.write_text(WRITTEN.replace(*change), encoding="utf-8")

    with pytest.raises(Problems, match="left as it was"):
        add_lines(path, [addition])

    assert path.read_text(encoding="utf-8") == WRITTEN.replace(*change)
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_config_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"
    source = {"name": "caseload", "kind": "annex-a-list-9", "path": "list.csv"}

    write_new(path, source=source, people={"analyst": "analyst@example.gov.uk"}, today="1 May 2026")

    assert load_config(path).people.analyst == "analyst@example.gov.uk"
    with pytest.raises(Problems, match="nothing is overwritten"):
        write_new(path, source=source, people={}, today="1 May 2026")
