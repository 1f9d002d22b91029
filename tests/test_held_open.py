"""A file that another program holds open is said by name and kept as it was; everything else is written."""

from pathlib import Path

import pytest
from support.council import NIGHT, Council, crowd, day, homeless
from support.held import held_open
from support.posix import UNDER_WINE, WINDOWS
from support.timed_service import few_rules

from monitor.errors import MonitorError
from monitor.files import _replace_each, folder_written_whole


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Council:
    folder = tmp_path_factory.mktemp("council")
    council = Council(folder, few_rules(folder, "homeless"), report=True)
    council.night(NIGHT, [homeless("P1"), *crowd(12)])
    return council


def report_of(council: Council) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (council.folder / "data" / "report").glob("report.*")}


@pytest.mark.parametrize("name", ["report.html", "report.xlsx"])
def test_a_report_that_is_held_open_is_kept_and_the_night_goes_on(one_night: Council, tmp_path: Path, name: str):
    council = one_night.copy_to(tmp_path)
    before = report_of(council)
    people = [homeless("P1"), homeless("P2"), *crowd(12)]

    with held_open(tmp_path / "data" / "report" / name):
        night = council.night(day(1), people)
        between = report_of(council)
    council.night(day(1), people)

    assert (night.outcome, night.exit_code, night.delivered.delivered > 0) == ("accepted", 1, True)
    (line,) = (night.report_fault or "").splitlines()
    assert line.startswith(f"{tmp_path / 'data' / 'report' / name}: is held open by another program (")
    assert {file for file in before if between[file] == before[file]} == {name}
    assert all(report_of(council)[file] != before[file] for file in before)
    assert not list((tmp_path / "data").rglob("*.unfinished"))


def fill(folder: Path, **texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def texts_of(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def renew(lists: Path) -> None:
    if WINDOWS and not UNDER_WINE:  # which does not move the folder of a file that is open
        with folder_written_whole(lists) as unfinished:
            fill(unfinished, north="new", south="new", east="new")
    else:
        _replace_each(fill(lists.parent / "unfinished", north="new", south="new", east="new"), lists)


def test_of_a_folder_of_lists_only_what_is_held_open_stays(tmp_path: Path):
    lists = fill(tmp_path / "2026-01-12", north="old", south="old", gone="old")

    with held_open(lists / "north.csv"), pytest.raises(MonitorError) as fault:
        renew(lists)

    (line,) = str(fault.value).splitlines()
    assert line.startswith(f"{lists / 'north.csv'}: is held open by another program (")
    assert texts_of(lists) == {"north": "old", "south": "new", "east": "new"}
