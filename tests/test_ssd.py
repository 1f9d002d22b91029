"""The Standard Safeguarding Dataset: every trap of each system, on the published tables in PostgreSQL."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, Integer, String
from support.safeguarding_dataset import Dataset, day

from monitor.caseload.intake import CouncilNames, type_rows
from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.sources.extract import Extract, SourceContext
from monitor.sources.read import read_source
from monitor.workspace import Workspace, fetch, open_workspace

AS_AT = dt.date(2026, 1, 12)


@dataclass
class Reading:
    """One source read and typed: the extract, the typed rows by person, and what the analyst is told."""

    extract: Extract
    people: Mapping[str, Mapping[str, Any]]
    notes: str

    def of(self, person_id: str, column: str) -> Any:
        """A person's value, or in brackets why there is none."""
        person = self.people[person_id]
        gap = person[f"{column}_gap"]
        return f"[{gap}]" if gap else person[column]


Read = Callable[..., Reading]


def extract_from(
    url: str, data: Dataset, kind: str, schema: str | None = None, **other: Any
) -> tuple[Workspace, Extract]:
    data.write(url, schema=schema)
    source = Source.model_validate({"name": "ssd", "kind": f"ssd-{kind}", "url": url, "schema": schema, **other})
    workspace = open_workspace()
    return workspace, read_source(source, workspace, SourceContext(AS_AT, Path()))


def read_from(url: str, data: Dataset, kind: str = "systemc", schema: str | None = None, **other: Any) -> Reading:
    workspace, extract = extract_from(url, data, kind, schema, **other)
    intake = type_rows(workspace, [extract], as_at=AS_AT, names=CouncilNames())
    rows = fetch(workspace, "SELECT * FROM tonight")
    assert len(rows) == len({row["person_id"] for row in rows}) == intake.rows
    return Reading(extract, {row["person_id"]: row for row in rows}, "\n".join(intake.notes))


@pytest.fixture
def read(postgres: str) -> Read:
    """Writes a dataset into a schema of its own in PostgreSQL, and reads it back."""
    return lambda data, kind="systemc", **other: read_from(
        postgres.replace("postgresql://", "postgresql+psycopg://"), data, kind, schema="ssd_test", **other
    )


@pytest.fixture
def quick(tmp_path: Path) -> Read:
    """The same in SQLite, where the database is not the point."""
    return lambda data, kind="systemc", **other: read_from(f"sqlite:///{tmp_path / 'ssd.db'}", data, kind, **other)


def open_case(person_id: str = "1", **cells: Any) -> Dataset:
    """One person of 19 with an open adviser and a contact record."""
    usual = {
        "in_touch": "YES",
        "contact": "2025-06-01",
        "plan": "2025-12-01",
        "adviser": "7",
        "worker": "9",
        "team": "12",
    }
    data = Dataset().person(person_id).leaver(person_id, **{**usual, **cells}).involvement(person_id, "7", team="33")
    data.add("ssd_professionals", prof_professional_id="7", prof_staff_id="S7", prof_professional_name="A Example")
    data.add("ssd_professionals", prof_professional_id="9", prof_staff_id="S9", prof_professional_name="W Example")
    data.add("ssd_department", dept_team_id="33", dept_team_name="Leaving Care North")
    return data.add("ssd_department", dept_team_id="12", dept_team_name="Children in Care")


# SystemC


def test_a_plan_dated_1900_is_no_plan(read: Read) -> None:
    found = read(open_case(plan="1900-01-01"))

    assert found.of("1", "pathway_plan_review_date") is None


def test_a_plan_that_could_not_show_without_a_contact_record_is_not_evidenced(read: Read) -> None:
    data = Dataset().person("1").leaver("1", plan="1900-01-01")
    data.person("2", born="2009-01-01").leaver("2", plan="1900-01-01", eligibility="Eligible")

    found = read(data)

    assert found.of("1", "pathway_plan_review_date") == "[unreadable]"
    assert found.of("2", "pathway_plan_review_date") is None
    assert "1 person with no contact record" in found.notes


def test_a_plan_last_edited_is_read_as_its_day(read: Read) -> None:
    found = read(open_case(plan="2025-12-01 16:45:10"))

    assert found.of("1", "pathway_plan_review_date") == dt.date(2025, 12, 1)


def test_eligibility_history_times_contact_history_is_one_person(read: Read) -> None:
    data = Dataset().person("1")
    for eligibility in ("Eligible", "Former Relevant"):
        for contact, in_touch, accommodation in (
            ("2024-06-01", "YES", "Independent living"),
            ("2025-06-01", "NO", "No fixed abode or homeless"),
            (None, None, None),
        ):
            data.leaver("1", eligibility=eligibility, contact=contact, in_touch=in_touch, accommodation=accommodation)

    found = read(data)

    assert found.of("1", "eligibility") == "former relevant"
    assert found.of("1", "in_touch") == "NO"
    assert found.of("1", "accommodation") == "S"
    assert found.of("1", "last_recorded_in_touch_date") == dt.date(2025, 6, 1)
    assert "6 rows for 1 person" in found.notes


def test_the_eligibility_that_fits_the_age_is_used(read: Read) -> None:
    data = Dataset()
    cases = {"1": ("2009-01-01", None), "2": ("2009-01-01", "2025-03-01"), "3": ("2006-06-01", None)}
    for person, (born, ceased) in cases.items():
        data.person(person, born=born)
        for eligibility in ("No Current Eligibility", "Relevant", "Qualifying", "Eligible"):
            data.leaver(person, eligibility=eligibility)
        data.add(
            "ssd_cla_episodes",
            clae_person_id=person,
            clae_cla_episode_start_date=day("2020-01-01"),
            clae_cla_episode_ceased_date=ceased and day(ceased),
        )
    data.leaver("3", eligibility="Former Relevant")

    found = read(data)

    assert [found.of(person, "eligibility") for person in "123"] == ["eligible", "relevant", "former relevant"]


def test_a_status_that_is_no_code_is_not_hidden_by_the_word_for_none(quick: Read) -> None:
    data = (
        Dataset()
        .person("1")
        .leaver("1", eligibility="No Current Eligibility")
        .leaver("1", eligibility="Pending review")
    )

    assert quick(data).of("1", "eligibility") == "[unreadable]"


def test_no_current_eligibility_stays_and_whoever_is_25_goes(read: Read) -> None:
    data = Dataset().person("1", born="2003-01-13").leaver("1", eligibility="No Current Eligibility")
    data.person("2", born="2001-01-12").leaver("2").person("3", born="2001-01-13").leaver("3")

    found = read(data)

    assert set(found.people) == {"1", "3"}
    assert found.of("1", "eligibility") == "no current eligibility"
    assert "1 person aged 25 or over left out" in found.notes


def test_codes_and_descriptions_are_both_read_and_a_leading_letter_is_not_a_code(read: Read) -> None:
    cells = {
        "A": ("With parent(s) or relative(s)", "Full time in higher education", "Suitable"),
        "B": ("Supported lodgings", "F2", "Unsuitable"),
        "C": ("W", "G5", "2"),
        "D": ("Bed and breakfast", None, "1"),
        "E": ("Emergency accommodation", "P4", None),
        "F": ("A place of our own wording", "Something else", "Perhaps"),
    }
    data = Dataset()
    for person, (accommodation, activity, suitable) in cells.items():
        data.person(person).leaver(person, accommodation=accommodation, activity=activity, suitable=suitable)

    found = read(data)

    columns = ("accommodation", "activity", "accommodation_suitable")
    assert {person: tuple(found.of(person, column) for column in columns) for person in cells} == {
        "A": ("B", "F1", True),
        "B": ("E", "F2", False),
        "C": ("W", "G5", False),
        "D": ("W", None, True),
        "E": ("V", "P4", None),
        "F": ("[unreadable]", "[unreadable]", "[unreadable]"),
    }


def test_row_ids_that_change_every_night_change_nothing(read: Read) -> None:
    prints = set()
    for order in (["a", "b"], ["y", "x"]):
        data = open_case()
        data.person("2").leaver("2", in_touch="NO")
        for row, table_id in zip(data.rows["ssd_care_leavers"], order, strict=True):
            row["clea_table_id"] = table_id
        if order == ["y", "x"]:
            data.rows["ssd_care_leavers"].reverse()
        prints.add(read(data).extract.fingerprint)

    assert len(prints) == 1


def test_an_adviser_whose_involvement_has_ended_is_no_adviser(read: Read) -> None:
    data = open_case()
    data.person("2").leaver("2", adviser="7").involvement("2", "7", end="2025-09-01")
    data.person("3").leaver("3", adviser="7").involvement("3", "7", end="2026-01-12")
    data.person("4").leaver("4", adviser="7").involvement("4", "7", end="2026-01-13")

    found = read(data)

    advisers = {person: found.of(person, "personal_adviser") for person in found.people}
    assert advisers == {"1": "A Example", "2": None, "3": None, "4": "A Example"}
    assert "2 people with an adviser whose involvement has ended" in found.notes


def test_an_open_social_worker_is_not_an_adviser(read: Read) -> None:
    data = open_case()
    data.person("2").leaver("2", adviser="9").involvement("2", "9", role="Case Worker")

    assert read(data).of("2", "personal_adviser") is None


def test_nobody_having_an_adviser_is_a_fault_of_the_role_codes(read: Read) -> None:
    data = Dataset()
    for n in range(20):
        data.person(f"P{n}").leaver(f"P{n}").involvement(f"P{n}", "9", role="LC TEAM WORKER")

    found = read(data)
    named = read(data, adviser_roles=["LC team worker"])

    assert found.of("P1", "personal_adviser") == "[not supplied]"
    assert "personal_adviser is left out: 20 of 20" in found.notes
    assert "adviser_roles" in found.notes
    assert named.of("P1", "personal_adviser") == "9"


def test_local_roles_still_confirm_the_adviser_by_worker(read: Read) -> None:
    data = Dataset()
    data.person("1").leaver("1", adviser="7").involvement("1", "7", role="LC1")
    data.person("2").leaver("2", adviser="7").involvement("2", "7", role="LC1", end="2025-01-01")

    found = read(data)

    assert (found.of("1", "personal_adviser"), found.of("2", "personal_adviser")) == ("7", None)


def test_the_team_is_the_advisers_then_the_department_then_the_social_workers(read: Read) -> None:
    data = open_case()
    data.add("ssd_professionals", prof_professional_id="8", prof_professional_department="Leaving Care South")
    data.person("2").leaver("2", team="12", worker="9", adviser="8").involvement("2", "8")
    data.person("3").leaver("3", team="12")

    found = read(data)

    teams = {person: found.of(person, "allocated_team") for person in found.people}
    assert teams == {"1": "Leaving Care North", "2": "Leaving Care South", "3": "Children in Care"}
    assert "1 person aged 18 or over whose only team is the social worker's" in found.notes


def test_the_date_of_the_return_is_not_a_contact(read: Read) -> None:
    found = read(open_case(contact="2025-06-01"))

    assert found.of("1", "last_recorded_in_touch_date") == dt.date(2025, 6, 1)
    assert found.of("1", "latest_contact_date") == "[not supplied]"


def test_an_old_release_names_the_highest_worker_ever_and_is_not_believed(read: Read) -> None:
    data = open_case(adviser="999")
    data.involvement("1", "999", end="2020-01-01")
    data.without |= {"pers_forename", "pers_surname", "pers_upn"}
    unmapped = Dataset(without={"pers_forename", "pers_surname", "pers_upn"})
    unmapped.person("1").leaver("1", adviser="999").involvement("1", "999", role="LC1")

    assert read(data).of("1", "personal_adviser") == "A Example"
    assert read(unmapped).of("1", "personal_adviser") == "[not supplied]"


def test_an_estimated_birth_date_is_used_unless_still_to_come(read: Read) -> None:
    data = Dataset().person("1", born=None, pers_expected_dob=day("2007-01-01")).leaver("1")
    data.person("2", born=None, pers_expected_dob=day("2026-03-01")).leaver("2")
    data.person("3", born="2007-05-05", pers_expected_dob=day("2001-01-01")).leaver("3")

    found = read(data)

    births = {person: found.of(person, "date_of_birth") for person in found.people}
    assert births == {"1": dt.date(2007, 1, 1), "2": None, "3": dt.date(2007, 5, 5)}
    assert "1 person with an estimated birth date" in found.notes


def test_ids_are_compared_as_trimmed_text(read: Read) -> None:
    data = Dataset().person("00123").leaver(" 00123 ", adviser="7.0").involvement("00123", "7")
    data.person("L-45a").leaver("L-45a").person("77").leaver("77.0")

    found = read(data)

    assert set(found.people) == {"00123", "L-45a", "77"}
    assert found.of("00123", "personal_adviser") == "7"
    assert found.of("77", "date_of_birth") == dt.date(2006, 6, 1)


def test_numeric_ids_are_the_same_ids(read: Read) -> None:
    data = Dataset(types={"clea_person_id": Integer()}).person("123")
    data.add("ssd_care_leavers", clea_person_id=123, clea_care_leaver_eligibility="Former Relevant")

    assert read(data).of("123", "date_of_birth") == dt.date(2006, 6, 1)


def test_an_adviser_without_a_name_is_still_an_adviser(read: Read) -> None:
    data = open_case()
    data.person("2").leaver("2").involvement("2", "71")

    found = read(data)

    assert found.of("2", "personal_adviser") == "71"
    assert "1 person with an adviser whom ssd_professionals does not name" in found.notes


def test_a_teams_parent_is_never_the_team(read: Read) -> None:
    data = open_case()
    data.rows["ssd_department"] = [{"dept_team_id": "33", "dept_team_parent_id": "12", "dept_team_parent_name": "Team"}]

    assert read(data).of("1", "allocated_team") == "33"


def test_unaccompanied_children_are_found_in_any_wording(read: Read) -> None:
    statuses = {
        "A": ["Unaccompanied Asylum Seeking Child (UASC)"], "B": ["UASC"], "C": ["Asylum seeker - unaccompanied minor"],
        "D": ["UASC", "Refugee status granted"], "E": ["Not UASC"], "F": ["Non-UASC"], "G": ["EU settled status"],
        "H": ["SSD_PH"], "I": [],
    }  # fmt: skip
    data = Dataset()
    for person, each in statuses.items():
        data.person(person).leaver(person)
        for status in each:
            ended = day("2024-01-01") if status == "UASC" else None
            data.add(
                "ssd_immigration_status",
                immi_person_id=person,
                immi_immigration_status=status,
                immi_immigration_status_end_date=ended,
            )

    found = read(data)

    said = {person: found.of(person, "uasc") for person in statuses}
    assert said == dict.fromkeys("ABCD", True) | dict.fromkeys("EFG", False) | dict.fromkeys("HI")


def test_postcodes_with_spaces_and_placeholders_are_normalised(read: Read) -> None:
    data = Dataset()
    postcodes = {"1": "CW1 2AB", "2": "cw12ab", "3": "M1 1AA", "4": "XXXXXXX", "5": "nopostcode", "6": "SK10 1AA"}
    for person, postcode in postcodes.items():
        data.person(person).leaver(person)
        start = day("2025-10-01")
        data.add("ssd_address", addr_person_id=person, addr_address_start_date=start, addr_address_postcode=postcode)

    found = read(data, area_postcodes=["CW", "SK10"])

    assert {person: found.of(person, "out_of_area") for person in postcodes} == {
        "1": False, "2": False, "3": True, "4": None, "5": None, "6": False,
    }  # fmt: skip
    assert found.of("1", "accommodation_start_date") == dt.date(2025, 10, 1)
    assert read(data).of("1", "out_of_area") == "[not supplied]"


def test_placeholders_are_blank_everywhere(read: Read) -> None:
    data = open_case(in_touch="SSD_PH", accommodation="SSD_PH_text", worker="SSD_PH", contact="1900-01-01")
    data.rows["ssd_professionals"][0]["prof_professional_name"] = "SSD_PH"
    data.rows["ssd_person"][0]["pers_death_date"] = day("1900-01-01")

    found = read(data)

    for column in ("in_touch", "accommodation", "allocated_worker", "last_recorded_in_touch_date", "death_date"):
        assert found.of("1", column) is None
    assert found.of("1", "personal_adviser") == "7"
    assert not found.people["1"]["died"]


def test_a_closed_involvement_ended_in_1900_is_open(read: Read) -> None:
    data = open_case()
    data.rows["ssd_involvements"][0]["invo_involvement_end_date"] = day("1900-01-01")

    assert read(data).of("1", "personal_adviser") == "A Example"


def test_times_of_day_are_dropped_in_english_time(read: Read) -> None:
    from sqlalchemy import DateTime

    data = open_case()
    data.types["pers_dob"] = DateTime(timezone=True)
    data.rows["ssd_person"][0]["pers_dob"] = dt.datetime(2006, 6, 30, 23, 0, tzinfo=dt.UTC)

    assert read(data).of("1", "date_of_birth") == dt.date(2006, 7, 1)


def test_a_death_in_any_row_or_column_is_a_death(read: Read) -> None:
    data = open_case(contact="2025-06-01").leaver("1", in_touch="Died", contact="2024-01-01")
    data.person("2", pers_death_date=day("2025-05-05")).leaver("2", in_touch="YES", contact="2025-06-01")

    found = read(data)

    assert found.people["1"]["died"]
    assert found.people["2"]["died"]


def test_a_disability_of_any_row_counts(read: Read) -> None:
    codes = {"A": ["NONE"], "B": ["NONE", "MOB"], "C": ["DDA", "DDA"], "D": ["Learning disability"], "E": []}
    data = Dataset()
    for person, each in codes.items():
        data.person(person).leaver(person)
        for code in each:
            data.add("ssd_disability", disa_person_id=person, disa_disability_code=code)

    found = read(data)

    said = {person: found.of(person, "disability") for person in codes}
    assert said == {"A": False, "B": True, "C": True, "D": True, "E": None}


def test_changes_of_adviser_are_of_person_and_not_of_paperwork(read: Read) -> None:
    data = Dataset().person("1").leaver("1", adviser="4")
    data.involvement("1", "1", start="2023-01-01", end="2025-03-01")
    data.involvement("1", "2", start="2025-03-01", end="2025-06-01")
    data.involvement("1", "5", start="2025-05-05", end="2025-05-05")
    data.involvement("1", "6", start="2025-05-20", end="2025-05-25", reason="Admin reassignment")
    data.involvement("1", "2", start="2025-06-01", end="2025-09-01")
    data.involvement("1", "4", start="2025-09-01", end="2025-12-01")
    data.involvement("1", "4", start="2025-12-01")

    found = read(data)

    assert found.of("1", "pa_changes_12_months") == 2
    assert found.of("1", "pa_start_date") == dt.date(2025, 9, 1)
    assert found.of("1", "personal_adviser") == "4"


def test_being_no_mother_is_never_claimed(read: Read) -> None:
    data = Dataset()
    for person, mother in (("1", "Y"), ("2", "N"), ("3", None)):
        data.person(person, pers_is_mother=mother).leaver(person)

    found = read(data)

    assert [found.of(person, "is_parent") for person in "123"] == [True, None, None]


# Mosaic


def mosaic_case(**cells: Any) -> Dataset:
    usual = {
        "eligibility": "b) Former relevant child", "in_touch": "YES", "contact": "2025-06-01", "adviser": "A Example",
        "team": "Leaving Care", "worker": "W Example", "accommodation": "U",
    }  # fmt: skip
    return Dataset().person("1").leaver("1", **{**usual, **cells})


def test_mosaic_names_adviser_team_and_worker(read: Read) -> None:
    found = read(mosaic_case(), "mosaic")

    assert found.of("1", "personal_adviser") == "A Example"
    assert found.of("1", "allocated_team") == "Leaving Care"
    assert found.of("1", "allocated_worker") == "W Example"
    assert found.of("1", "eligibility") == "former relevant"
    assert found.of("1", "latest_contact_date") == "[not supplied]"


def test_mosaic_eligibility_in_ofsted_form_is_read(read: Read) -> None:
    data = Dataset()
    for text in ("a) Relevant child", "b) Former relevant child", "c) Qualifying care leaver", "d) Eligible"):
        data.person(text[0]).leaver(text[0], eligibility=text)

    found = read(data, "mosaic")

    said = [found.of(person, "eligibility") for person in "abcd"]
    assert said == ["relevant", "former relevant", "qualifying", "eligible"]


def test_mosaic_without_an_eligibility_is_blank_and_said(read: Read) -> None:
    found = read(mosaic_case().person("2").leaver("2", eligibility=None), "mosaic")

    assert found.of("2", "eligibility") is None
    assert "1 person without an eligibility" in found.notes


def test_mosaic_aged_25_is_no_longer_former_relevant(read: Read) -> None:
    data = mosaic_case().person("2", born="2000-06-01").leaver("2", eligibility="b) Former relevant child")

    assert set(read(data, "mosaic").people) == {"1"}


def test_mosaic_advisers_missing_from_involvements_are_still_advisers(read: Read) -> None:
    data = mosaic_case().involvement("1", "55", role="ALLWKR")

    assert read(data, "mosaic").of("1", "personal_adviser") == "A Example"


def test_a_mosaic_adviser_all_of_whose_relationships_ended_is_none(read: Read) -> None:
    data = mosaic_case().involvement("1", "55", role="REL.PERSONALADVISOR", end="2025-01-01")
    data.person("2").leaver("2", adviser="B Example", eligibility="b) Former relevant child")

    found = read(data, "mosaic")

    assert (found.of("1", "personal_adviser"), found.of("2", "personal_adviser")) == (None, "B Example")


def test_mosaic_team_ids_that_nothing_names_do_not_route(read: Read) -> None:
    data = mosaic_case().involvement("1", "55", role="REL.PERSONALADVISOR", team="4411")
    data.add("ssd_department")
    data.add("ssd_professionals", prof_staff_id="55")

    assert read(data, "mosaic").of("1", "allocated_team") == "Leaving Care"


def test_mosaic_columns_under_other_names_are_found(read: Read) -> None:
    data = mosaic_case(suitable="Suitable")
    data.add("ssd_address", addr_person_id="1", addr_address_start_date=day("2025-10-01"), addr_address_json="1 Road")
    data.renamed = {
        "clea_care_leaver_eligibility": "ELIGIBILITY_STATUS",
        "clea_care_leaver_accom_suitable": "clea_care_leaver_accomm_suitable",
        "addr_person_id": "add_person_id",
        "clea_table_id": "clea_care_table_id",
    }

    found = read(data, "mosaic")

    assert found.of("1", "eligibility") == "former relevant"
    assert found.of("1", "accommodation_suitable") is True
    assert found.of("1", "accommodation_start_date") == dt.date(2025, 10, 1)


def test_mosaic_mixed_codes_and_local_text_are_told_apart(quick: Read) -> None:
    data = mosaic_case(accommodation="S").person("2").leaver("2", accommodation="Our hostel scheme")
    data.person("3").leaver("3", accommodation="Ordinary lodgings")

    found = quick(data, "mosaic")

    assert [found.of(person, "accommodation") for person in "123"] == ["S", "[unreadable]", "K"]


# Eclipse


def test_eclipse_records_without_a_contact_date_never_win(read: Read) -> None:
    data = Dataset().person("1").leaver("1", contact=None, in_touch="NO", plan=None)
    data.leaver("1", contact="2025-11-01", in_touch="YES", plan="2025-10-01")

    found = read(data, "eclipse")

    assert found.of("1", "in_touch") == "YES"
    assert found.of("1", "latest_contact_date") == dt.date(2025, 11, 1)
    assert found.of("1", "pathway_plan_review_date") == dt.date(2025, 10, 1)


def test_eclipse_ties_and_several_allocations_are_one_person(read: Read) -> None:
    data = Dataset().person("1").person("1x")
    for adviser in ("7", "8", "7"):
        data.leaver("1", contact="2025-11-01", in_touch="YES", adviser=adviser)
    data.involvement("1", "7", start="2024-01-01").involvement("1", "8", start="2025-01-01")
    data.add("ssd_professionals", prof_professional_id="7", prof_professional_name="A Example")
    data.add("ssd_professionals", prof_professional_id="7", prof_professional_name="A Example")

    found = read(data, "eclipse")

    assert list(found.people) == ["1"]
    assert found.of("1", "personal_adviser") == "A Example"


def test_an_eclipse_adviser_is_todays_and_not_that_of_the_last_contact(read: Read) -> None:
    data = Dataset().person("1").leaver("1", contact="2024-01-01", adviser="7")
    data.involvement("1", "7", end="2024-06-01").involvement("1", "8", start="2024-06-01", team="Leaving Care South")
    data.person("2").leaver("2", contact=None, adviser=None).involvement("2", "8")

    found = read(data, "eclipse")

    assert (found.of("1", "personal_adviser"), found.of("1", "allocated_team")) == ("8", "Leaving Care South")
    assert found.of("2", "personal_adviser") == "8"


def test_eclipse_plans_of_another_councils_form_are_a_fault_and_no_breach(read: Read) -> None:
    data = Dataset()
    for n in range(20):
        data.person(f"P{n}").leaver(f"P{n}", contact="2025-11-01", suitable=None)

    found = read(data, "eclipse")

    assert found.of("P1", "pathway_plan_review_date") == "[not supplied]"
    assert "pathway_plan_review_date is left out: 20 of 20" in found.notes


def test_people_missing_from_ssd_person_are_kept_and_said(read: Read) -> None:
    data = Dataset().person("1").leaver("1").leaver("2")

    found = read(data, "eclipse")

    assert found.of("2", "date_of_birth") is None
    assert "1 person not in ssd_person" in found.notes


def test_a_birth_date_still_to_come_is_unreadable(read: Read) -> None:
    data = Dataset().person("1").leaver("1").person("2", born="2026-05-01").leaver("2")

    assert read(data, "eclipse").of("2", "date_of_birth") == "[unreadable]"


# What a release lacks


def test_tables_and_columns_a_release_lacks_are_said_and_not_crashed_on(read: Read) -> None:
    data = open_case()
    data.without = {
        "ssd_involvements", "ssd_professionals", "ssd_department", "ssd_immigration_status", "ssd_disability",
        "ssd_address", "ssd_cla_episodes", "pers_expected_dob", "clea_care_leaver_activity",
    }  # fmt: skip

    found = read(data)

    assert "ssd_involvements is not there" in found.notes
    assert "ssd_person has no pers_expected_dob" in found.notes
    assert "1 person with an adviser no open involvement confirms" in found.notes
    assert found.of("1", "personal_adviser") == "7"
    assert found.of("1", "activity") == "[not supplied]"
    assert found.of("1", "uasc") == "[not supplied]"


@pytest.mark.parametrize("table", ["ssd_care_leavers", "ssd_person"])
def test_a_table_nothing_can_do_without_is_named(read: Read, table: str) -> None:
    data = open_case()
    data.without = {table}

    with pytest.raises(
        SourceError, match=f'source "ssd": no table {table} in schema "ssd_test"; correct url or schema'
    ):
        read(data)


def test_a_column_nothing_can_do_without_is_named(read: Read) -> None:
    data = open_case()
    data.without = {"pers_dob"}

    with pytest.raises(SourceError, match="ssd_person: no column pers_dob"):
        read(data)


def test_names_in_capitals_are_the_same_tables(read: Read) -> None:
    data = open_case()
    data.renamed = {name: name.upper() for name in ("ssd_person", "ssd_care_leavers", "pers_dob", "clea_person_id")}

    assert read(data).of("1", "date_of_birth") == dt.date(2006, 6, 1)


def test_a_dataset_that_was_not_loaded_is_said(read: Read) -> None:
    with pytest.raises(SourceError, match="ssd_care_leavers: no rows; load the dataset again"):
        read(Dataset())


def test_a_column_of_the_wrong_type_is_named(read: Read) -> None:
    data = open_case()
    data.types["pers_dob"] = Boolean()
    data.rows["ssd_person"][0]["pers_dob"] = True

    with pytest.raises(SourceError, match=r"ssd_person\.pers_dob: none of its 1 values is a date"):
        read(data)


def test_one_date_that_cannot_be_read_is_that_persons_alone(read: Read) -> None:
    data = open_case()
    data.types["clea_pathway_plan_review_date"] = String()
    data.rows["ssd_care_leavers"][0]["clea_pathway_plan_review_date"] = "31/11/2025"
    data.person("2").leaver("2", in_touch="YES", contact="2025-06-01", plan="05/12/2025")

    found = read(data)

    assert found.of("1", "pathway_plan_review_date") == "[unreadable]"
    assert found.of("2", "pathway_plan_review_date") == dt.date(2025, 12, 5)


def test_tables_without_any_birth_date_do_not_belong_together(read: Read) -> None:
    with pytest.raises(SourceError, match="ssd_person: no birth date for any of 1 people"):
        read(Dataset().person("9").leaver("1"))


counts = st.integers(0, 3)
tables = st.fixed_dictionaries(
    dict.fromkeys(("person", "involvement", "immigration", "disability", "address", "episode", "department"), counts)
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=st.lists(st.tuples(st.integers(1, 4), tables), min_size=1, max_size=4),
    kind=st.sampled_from(["systemc", "mosaic", "eclipse"]),
    dated=st.booleans(),
)
def test_whatever_multiplies_one_person_is_one_row(
    tmp_path_factory: pytest.TempPathFactory, people: list[tuple[int, dict[str, int]]], kind: str, dated: bool
) -> None:
    data = Dataset().person("always").leaver("always")
    for n, (rows, several) in enumerate(people):
        person = f"P{n}"
        for row in range(rows):
            data.leaver(
                person,
                eligibility=["Eligible", "Relevant", None, "Former Relevant"][row],
                contact="2025-06-01" if dated else None,
                in_touch=["YES", "NO", None, "REFU"][row],
                adviser="7",
                team="33",
                worker="7",
            )
        for row in range(several["person"]):
            data.person(person, born=f"2006-06-0{row + 1}")
        for row in range(several["involvement"]):
            data.involvement(person, str(7 + row % 2), team="33", start="2025-01-01")
        for _ in range(several["immigration"]):
            data.add("ssd_immigration_status", immi_person_id=person, immi_immigration_status="UASC")
        for _ in range(several["disability"]):
            data.add("ssd_disability", disa_person_id=person, disa_disability_code="MOB")
        for _ in range(several["address"]):
            data.add("ssd_address", addr_person_id=person, addr_address_postcode="CW1 1AA")
        for _ in range(several["episode"]):
            data.add("ssd_cla_episodes", clae_person_id=person)
        for row in range(several["department"]):
            data.add("ssd_department", dept_team_id="33", dept_team_name=f"Team {row}")
            data.add("ssd_professionals", prof_professional_id="7", prof_professional_name=f"Name {row}")
    folder = tmp_path_factory.mktemp("ssd")

    workspace, extract = extract_from(f"sqlite:///{folder / 'ssd.db'}", data, kind)

    rows = workspace.execute(f'SELECT c0 FROM "{extract.table}" ORDER BY 1').fetchall()
    assert rows == [*((f"P{n}",) for n in range(len(people))), ("always",)]
