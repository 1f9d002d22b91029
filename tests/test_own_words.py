"""A council's own headings and words: what its config says they mean goes before what they look like."""

import datetime as dt
from pathlib import Path

import pytest
from support.council import HEADINGS, settled

from monitor.caseload.intake import read_caseload
from monitor.catalogue.headings import SYSTEM_ID_HEADINGS, check_headings, find_near_misses, match_headings
from monitor.config.settings import load_config
from monitor.errors import Problems, SourceError
from monitor.sources.extract import SourceContext
from monitor.workspace import Workspace, open_workspace

AS_AT = dt.date(2026, 1, 12)


def _config(folder: Path, own: str = "", rows: str = "") -> Path:
    (folder / "list.csv").write_text(rows or _rows(), encoding="utf-8")
    path = folder / "monitor.toml"
    path.write_text(
        f'[[sources]]\nname = "caseload"\nkind = "annex-a-list-9"\npath = "list.csv"\n{own}\n'
        '[people]\nanalyst = "analyst@example.gov.uk"\n',
        encoding="utf-8",
    )
    return path


def _rows(headings: dict[str, str] | None = None, **cells: str) -> str:
    person = settled("700001", **cells)
    known = HEADINGS | (headings or {})
    return ",".join(known[name] for name in person) + "\n" + ",".join(f'"{cell}"' for cell in person.values()) + "\n"


def _read(path: Path) -> tuple[dict[str, object], list[str]]:
    """The one person of the config's caseload, and what is said of the lists and headings."""
    workspace = open_workspace()
    read = read_caseload(workspace, load_config(path), SourceContext(AS_AT))
    return _person(workspace), [*read.intake.notes, *(line for one in read.intake.lists for line in one.lines)]


def _person(workspace: Workspace) -> dict[str, object]:
    rows = workspace.execute("SELECT * FROM tonight")
    names = [column[0] for column in rows.description]
    return dict(zip(names, rows.fetchone() or (), strict=False))


OWN = """
[sources.headings]
"Kind of home" = "accommodation"
"Type of Accommodation" = "not read"
"Old name" = "activity"
[sources.words.accommodation]
"Own flat" = "u"
"Caravan" = "Y"
[sources.words.accommodation_suitable]
"Fine" = "yes"
"""


def test_a_heading_and_a_text_mean_what_the_config_says(tmp_path: Path) -> None:
    rows = _rows(
        {"accommodation": "Kind of home", "worker": "Type of Accommodation"},
        accommodation="OWN  flat",
        suitable="fine",
        worker="S",
    )

    person, said = _read(_config(tmp_path, OWN, rows))

    assert (person["accommodation"], person["accommodation_suitable"]) == ("U", True)
    assert 'sources[caseload].headings: 2 of 3 are headings of the file; nothing matches "Old name"' in said
    assert 'sources[caseload].words.accommodation: 1 of 2 stand in a cell tonight; nothing matches "Caravan"' in said


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            '[sources.headings]\n"Home" = "acommodation"',
            'sources[caseload].headings: "Home": no column "acommodation"; did you mean "accommodation"?',
        ),
        (
            '[sources.words.acommodation]\n"Flat" = "U"',
            'words: no column of codes "acommodation"; did you mean "accommodation"?',
        ),
        ('[sources.words.personal_adviser]\n"Duty" = "blank"', "see not_an_adviser"),
        ('[sources.words.in_touch]\n"Maybe" = "MAYBE"', "the codes are YES, NO, DIED, REFU, NREQ, RHOM, blank"),
        ('[sources.words.uasc]\n"Maybe" = "perhaps"', "the codes are yes, no, blank"),
    ],
)
def test_what_cannot_be_meant_is_a_problem_with_what_could(tmp_path: Path, own: str, words: str) -> None:
    with pytest.raises(Problems) as found:
        load_config(_config(tmp_path, own))

    assert words in str(found.value)


def test_a_near_miss_is_named_with_the_line_to_paste(tmp_path: Path) -> None:
    person, said = _read(_config(tmp_path, rows=_rows({"accommodation": "Acomodation Tipe", "worker": "Shoe size"})))

    assert person["accommodation_gap"] == "not supplied"
    assert (
        'list.csv: "Acomodation Tipe" is not read and looks like accommodation; if it is, add to [sources.headings] of '
        'source "caseload": "Acomodation Tipe" = "accommodation"' in said
    )
    assert 'list.csv: headings that no rule needs were ignored: "Shoe size"' in said


def test_the_headings_of_real_systems_are_known() -> None:
    layout = "ChildUniqueID,DateOfBirth,AllocatedPA,ReviewDate,InTouch,LatestContactDate,AccomodationType,EETStatus"

    assert set(match_headings(layout.split(",")).positions) == {
        "person_id", "date_of_birth", "personal_adviser", "pathway_plan_review_date", "in_touch",
        "latest_contact_date", "accommodation", "activity",
    }  # fmt: skip
    for heading in SYSTEM_ID_HEADINGS:
        assert match_headings([heading, "DOB"]).positions["person_id"] == 0
    assert match_headings(["Mosaic ID", "Child Unique ID", "DOB"]).positions["person_id"] == 1
    with pytest.raises(SourceError, match='"Mosaic ID" and "LCS ID" could each be person_id'):
        check_headings(["Mosaic ID", "LCS ID", "DOB"], "list.csv")


def test_a_heading_that_could_mean_two_things_is_read_only_where_nothing_else_means_it() -> None:
    matched = match_headings(
        ["Child ID", "Review Date", "Latest Pathway Plan Review Date", "Social Worker", "Case Worker"]
    )

    assert matched.positions == {"person_id": 0, "pathway_plan_review_date": 2}
    assert matched.extra == ("Review Date", "Social Worker", "Case Worker")
    assert find_near_misses(matched.extra, {"allocated_worker"}) == {
        "Social Worker": "allocated_worker", "Case Worker": "allocated_worker",
    }  # fmt: skip


def test_a_text_that_is_not_read_is_told_with_the_line_to_paste(tmp_path: Path) -> None:
    _, said = _read(
        _config(tmp_path, rows=_rows(accommodation="Suported lodgins", activity="Works with Tina Smith", uasc="Maybe"))
    )

    assert (
        'list.csv: row 2: accommodation: "Suported lodgins" is not read (1 cell); add to [sources.words.accommodation] '
        'of source "caseload": "Suported lodgins" = "E"' in said
    )
    assert any('uasc: "Maybe" is not read (1 cell); add to [sources.words.uasc]' in line for line in said)
    assert any(line.endswith('"Maybe" = "CODE" with a code of yes, no, blank') for line in said)
    assert any('activity: "Aaaaa aaaa Aaaa Aaaaa" is not read (1 cell); shown by its shape' in line for line in said)
    assert "Tina" not in str(said)
