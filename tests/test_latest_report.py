"""The latest report is written again when it would say something else, and when it is not as it was written."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from support.council import Council, crowd, day, homeless
from support.posix import needs_posix
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.messages.templates import read_templates
from monitor.report.write import write_latest_report
from monitor.rulebook.rule_folders import load_rulebook
from monitor.store.database import open_store
from monitor.store.location import locate

NAMES = ("report.html", "report.xlsx")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """One night with its report, for tests that each write the report again."""
    folder = tmp_path_factory.mktemp("kept")
    council = Council(folder, few_rules(folder), report=True)
    council.night(day(0), [homeless("P1"), *crowd(20)])
    return council


def write(council: Council, templates: Path | None = None, *, days_later: int = 0) -> None:
    """Write the latest report, made so many days after the last time."""
    config = load_config(council.config_path)
    database = open_store(locate(config, {}))
    try:
        rulebook = load_rulebook(config.rule_folders(), config.rule)
        made_on = day(0) + timedelta(days_later)
        write_latest_report(config, rulebook, read_templates(templates), database, made_on=made_on)
    finally:
        database.close()


def files(council: Council) -> dict[str, tuple[int, bytes]]:
    """Each file's number on the disk, which a file written again does not keep, and what it holds."""
    folder = council.folder / "data" / "report"
    return {name: ((folder / name).stat().st_ino, (folder / name).read_bytes()) for name in NAMES}


def test_a_report_that_would_say_the_same_is_left_as_it_is(kept: Council, tmp_path: Path) -> None:
    council = kept.copy_to(tmp_path)
    write(council)
    before = files(council)

    write(council)

    assert files(council) == before


def test_the_same_night_again_leaves_the_report_as_it_is(kept: Council, tmp_path: Path) -> None:
    council = kept.copy_to(tmp_path)
    council.night(day(0), [homeless("P1"), *crowd(20)])
    before = files(council)

    night = council.night(day(0), [homeless("P1"), *crowd(20)])

    assert [path.name for path in night.report] == list(NAMES)
    assert files(council) == before


def remove(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def change_a_figure(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spoil", [remove, cut_short, change_a_figure])
def test_a_file_that_is_not_as_it_was_written_is_written_again(
    kept: Council, tmp_path: Path, spoil: Callable[[Path], None], name: str
) -> None:
    council = kept.copy_to(tmp_path)
    write(council)
    before = {name: content for name, (_, content) in files(council).items()}

    spoil(council.folder / "data" / "report" / name)
    write(council)

    assert {name: content for name, (_, content) in files(council).items()} == before


@pytest.mark.parametrize("note", [None, b"", b"[]", b"{}", b'{"files": 1}', b'{"basis": null, "files": {}}', b"\xff"])
def test_files_without_a_note_that_can_be_read_are_written_again(
    kept: Council, tmp_path: Path, note: bytes | None
) -> None:
    council = kept.copy_to(tmp_path)
    write(council)
    before = files(council)
    path = council.folder / "data" / "report" / ".written.json"
    path.unlink() if note is None else path.write_bytes(note)

    write(council)

    assert all(files(council)[name][0] != before[name][0] for name in NAMES)
    assert path.read_bytes() != note


def test_a_later_day_another_template_and_another_figure_are_written(kept: Council, tmp_path: Path) -> None:
    council = kept.copy_to(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    page = council.folder / "data" / "report" / "report.html"

    write(council, days_later=1)
    assert "13 January 2026" in page.read_text(encoding="utf-8")
    (own / "report.css").write_text(".a-style-of-our-own {}", encoding="utf-8")
    write(council, own, days_later=1)
    assert ".a-style-of-our-own {}" in page.read_text(encoding="utf-8")
    (own / "report.css").write_text(".another-style {}", encoding="utf-8")
    write(council, own, days_later=1)
    assert ".another-style {}" in page.read_text(encoding="utf-8")
    council.night(day(1), [homeless("P1"), homeless("P2"), *crowd(20)])
    assert "P2" in page.read_text(encoding="utf-8")


@needs_posix("file modes")
def test_the_note_is_its_owners_and_names_nobody(kept: Council, tmp_path: Path) -> None:
    council = kept.copy_to(tmp_path)

    write(council)

    note = council.folder / "data" / "report" / ".written.json"
    assert note.stat().st_mode & 0o077 == 0
    assert "P1" not in note.read_text(encoding="utf-8")
