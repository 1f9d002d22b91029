"""Invented Standard Safeguarding Datasets: the published columns of each table, and a row a call."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from sqlalchemy import Column, DateTime, Float, Integer, MetaData, String, Table
from sqlalchemy.types import TypeEngine

TEXT, DAY = String(), DateTime()

PUBLISHED: dict[str, dict[str, TypeEngine[Any]]] = {
    "ssd_care_leavers": {
        "clea_table_id": TEXT, "clea_person_id": TEXT, "clea_care_leaver_eligibility": TEXT,
        "clea_care_leaver_in_touch": TEXT, "clea_care_leaver_latest_contact": DAY,
        "clea_care_leaver_accommodation": TEXT, "clea_care_leaver_accom_suitable": TEXT,
        "clea_care_leaver_activity": TEXT, "clea_pathway_plan_review_date": DAY,
        "clea_care_leaver_personal_advisor": TEXT, "clea_care_leaver_allocated_team": TEXT,
        "clea_care_leaver_worker_id": TEXT,
    },
    "ssd_person": {
        "pers_person_id": TEXT, "pers_legacy_id": TEXT, "pers_forename": TEXT, "pers_surname": TEXT, "pers_dob": DAY,
        "pers_expected_dob": DAY, "pers_death_date": DAY, "pers_sex": TEXT, "pers_gender": TEXT,
        "pers_ethnicity": TEXT, "pers_upn": TEXT, "pers_upn_unknown": TEXT, "pers_send_flag": TEXT,
        "pers_is_mother": TEXT, "pers_nationality": TEXT, "pers_single_unique_id": TEXT,
    },
    "ssd_address": {
        "addr_table_id": TEXT, "addr_person_id": TEXT, "addr_address_type": TEXT, "addr_address_start_date": DAY,
        "addr_address_end_date": DAY, "addr_address_postcode": TEXT, "addr_address_json": TEXT,
    },
    "ssd_involvements": {
        "invo_involvements_id": TEXT, "invo_professional_id": TEXT, "invo_professional_role_id": TEXT,
        "invo_professional_team": TEXT, "invo_person_id": TEXT, "invo_involvement_start_date": DAY,
        "invo_involvement_end_date": DAY, "invo_worker_change_reason": TEXT, "invo_referral_id": TEXT,
    },
    "ssd_professionals": {
        "prof_professional_id": TEXT, "prof_staff_id": TEXT, "prof_professional_name": TEXT,
        "prof_professional_job_title": TEXT, "prof_professional_caseload": Integer(),
        "prof_professional_department": TEXT, "prof_full_time_equivalency": Float(), "prof_agency_worker_flag": TEXT,
    },
    "ssd_department": {
        "dept_team_id": TEXT, "dept_team_name": TEXT, "dept_team_parent_id": TEXT, "dept_team_parent_name": TEXT,
    },
    "ssd_immigration_status": {
        "immi_immigration_status_id": TEXT, "immi_person_id": TEXT, "immi_immigration_status_start_date": DAY,
        "immi_immigration_status_end_date": DAY, "immi_immigration_status": TEXT,
    },
    "ssd_disability": {"disa_table_id": TEXT, "disa_person_id": TEXT, "disa_disability_code": TEXT},
    "ssd_cla_episodes": {
        "clae_person_id": TEXT, "clae_cla_episode_start_date": DAY, "clae_cla_episode_ceased_date": DAY,
        "clae_cla_episode_ceased_reason": TEXT, "clae_entered_care_date": DAY, "clae_cla_primary_need_code": TEXT,
        "clae_cla_last_iro_contact_date": DAY,
    },
}  # fmt: skip

PREFIXES = {"ssd_care_leavers": "clea_", "ssd_person": "pers_", "ssd_cla_episodes": "clae_"}


def day(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@dataclass
class Dataset:
    """Rows to be written into a database's tables; ``people`` adds one to ssd_person for each row that names one."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    types: dict[str, TypeEngine[Any]] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)

    def add(self, table: str, **cells: Any) -> "Dataset":
        self.rows.setdefault(table, []).append(cells)
        return self

    def person(self, person_id: str, born: str | None = "2006-06-01", **cells: Any) -> "Dataset":
        return self.add("ssd_person", pers_person_id=person_id, pers_dob=born and day(born), **cells)

    def leaver(self, person_id: str, **cells: Any) -> "Dataset":
        """A row of ssd_care_leavers; cells are named without their prefix, dates given as text."""
        names = {
            "eligibility": "clea_care_leaver_eligibility", "in_touch": "clea_care_leaver_in_touch",
            "contact": "clea_care_leaver_latest_contact", "accommodation": "clea_care_leaver_accommodation",
            "suitable": "clea_care_leaver_accom_suitable", "activity": "clea_care_leaver_activity",
            "plan": "clea_pathway_plan_review_date", "adviser": "clea_care_leaver_personal_advisor",
            "team": "clea_care_leaver_allocated_team", "worker": "clea_care_leaver_worker_id",
        }  # fmt: skip
        usual = {"eligibility": "Former Relevant"}
        given = {names[key]: value for key, value in {**usual, **cells}.items()}
        for name in ("clea_care_leaver_latest_contact", "clea_pathway_plan_review_date"):
            if isinstance(given.get(name), str) and name not in self.types:
                given[name] = day(given[name])
        return self.add("ssd_care_leavers", clea_person_id=person_id, **given)

    def involvement(
        self,
        person_id: str,
        professional: str | None,
        *,
        role: str = "16 Plus Personal Adviser",
        team: str | None = None,
        start: str | None = "2024-01-01",
        end: str | None = None,
        reason: str | None = None,
    ) -> "Dataset":
        return self.add(
            "ssd_involvements",
            invo_person_id=person_id,
            invo_professional_id=professional,
            invo_professional_role_id=role,
            invo_professional_team=team,
            invo_involvement_start_date=start and day(start),
            invo_involvement_end_date=end and day(end),
            invo_worker_change_reason=reason,
        )

    def write(self, url: str, *, schema: str | None = None) -> None:
        """Make the tables, and nothing else, at ``url``."""
        engine = sqlalchemy.create_engine(url)
        metadata = MetaData(schema=schema)
        tables = {}
        for table, columns in PUBLISHED.items():
            if table in self.without:
                continue
            tables[table] = Table(
                self.renamed.get(table, table),
                metadata,
                *(
                    Column(self.renamed.get(name, name), self.types.get(name, kind), key=name)
                    for name, kind in columns.items()
                    if name not in self.without
                ),
            )
        with engine.begin() as store:
            if schema:
                store.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
                store.exec_driver_sql(f"CREATE SCHEMA {schema}")
            metadata.create_all(store)
            for name, table in tables.items():
                rows = self.rows.get(name, [])
                keys = {key for row in rows for key in row}
                if rows:
                    store.execute(table.insert(), [{key: row.get(key) for key in keys} for row in rows])
        engine.dispose()
