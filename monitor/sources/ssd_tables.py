"""The Standard Safeguarding Dataset's tables: by what each column is to a query, the names that releases give it."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.workspace import Workspace, make_table

NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ssd_care_leavers": {
        "person": ("clea_person_id",),
        "eligibility": ("clea_care_leaver_eligibility", "eligibility_status"),
        "in_touch": ("clea_care_leaver_in_touch",),
        "contact": ("clea_care_leaver_latest_contact",),
        "accommodation": ("clea_care_leaver_accommodation",),
        "suitable": ("clea_care_leaver_accom_suitable", "clea_care_leaver_accomm_suitable"),
        "activity": ("clea_care_leaver_activity",),
        "plan": ("clea_pathway_plan_review_date",),
        "adviser": ("clea_care_leaver_personal_advisor", "clea_care_leaver_personal_adviser"),
        "team": ("clea_care_leaver_allocated_team",),
        "worker": ("clea_care_leaver_worker_id",),
    },
    "ssd_person": {
        "person": ("pers_person_id",),
        "born": ("pers_dob",),
        "expected": ("pers_expected_dob",),
        "died": ("pers_death_date",),
        "mother": ("pers_is_mother",),
    },
    "ssd_involvements": {
        "person": ("invo_person_id",),
        "professional": ("invo_professional_id",),
        "role": ("invo_professional_role_id",),
        "team": ("invo_professional_team",),
        "started": ("invo_involvement_start_date",),
        "ended": ("invo_involvement_end_date",),
        "reason": ("invo_worker_change_reason",),
    },
    "ssd_professionals": {
        "professional": ("prof_professional_id",),
        "staff": ("prof_staff_id",),
        "name": ("prof_professional_name",),
        "department": ("prof_professional_department",),
    },
    "ssd_department": {"team": ("dept_team_id",), "name": ("dept_team_name",)},
    "ssd_immigration_status": {"person": ("immi_person_id",), "status": ("immi_immigration_status",)},
    "ssd_disability": {"person": ("disa_person_id",), "code": ("disa_disability_code",)},
    "ssd_address": {
        "person": ("addr_person_id", "add_person_id"),
        "started": ("addr_address_start_date",),
        "ended": ("addr_address_end_date",),
        "postcode": ("addr_address_postcode",),
    },
    "ssd_cla_episodes": {
        "person": ("clae_person_id",),
        "started": ("clae_cla_episode_start_date",),
        "ceased": ("clae_cla_episode_ceased_date", "clae_cla_episode_ceased"),
        "reason": ("clae_cla_episode_ceased_reason",),
    },
    "ssd_legal_status": {
        "person": ("lega_person_id",),
        "status": ("lega_legal_status",),
        "started": ("lega_legal_status_start_date",),
        "ceased": ("lega_legal_status_end_date",),
    },
}

MACROS = r"""
CREATE OR REPLACE TEMP MACRO ssd_text(t) AS CASE
    WHEN starts_with(lower(trim(t)), 'ssd_ph') OR lower(trim(t)) IN ('', 'null', 'nan', '-') THEN NULL ELSE trim(t)
END;
CREATE OR REPLACE TEMP MACRO ssd_id(t) AS regexp_replace(ssd_text(t), '^(\d+)\.0+$', '\1');
CREATE OR REPLACE TEMP MACRO ssd_worker(t) AS nullif(nullif(ssd_id(t), '0'), '-1');
CREATE OR REPLACE TEMP MACRO ssd_day(t) AS coalesce(
    TRY_CAST(left(trim(t), 10) AS DATE), try_strptime(left(trim(t), 10), ['%d/%m/%Y', '%d-%m-%Y', '%Y/%m/%d'])::DATE
);
CREATE OR REPLACE TEMP MACRO ssd_date(t) AS CASE WHEN ssd_day(t) > DATE '1901-12-31' THEN ssd_day(t) END;
"""


@dataclass(frozen=True)
class SsdTable:
    """A table as one source reads it. ``needed``: the columns without which it cannot be read."""

    name: str
    columns: tuple[str, ...]
    needed: tuple[str, ...] = ()
    is_optional: bool = False

    def name_of(self, column: str) -> str:
        """Return the name that the newest release gives the column."""
        return NAMES[self.name][column][0]

    def match(self, there: Mapping[str, str]) -> dict[str, str]:
        """Return those of our columns that are there, and how each is spelt; ``there`` is by folded name."""
        return {
            column: there[name]
            for column in self.columns
            for name in [next((name for name in NAMES[self.name][column] if name in there), None)]
            if name is not None
        }

    def find_missing(self, present: Mapping[str, str]) -> str | None:
        """Return the name of the first needed column that is not there."""
        return next((self.name_of(column) for column in self.needed if column not in present), None)

    def make_empty(self, workspace: Workspace) -> None:
        """Make the table without a row, for a database that lacks it."""
        make_table(workspace, self.name, dict.fromkeys(self.columns, "VARCHAR"))

    def complete(self, workspace: Workspace, present: Mapping[str, str]) -> None:
        """Add the columns that the release does not have, blank for everyone."""
        for column in self.columns:
            if column not in present:
                workspace.execute(f'ALTER TABLE "{self.name}" ADD COLUMN {column} VARCHAR')


def by_name(*tables: SsdTable) -> Mapping[str, SsdTable]:
    return {table.name: table for table in tables}


def all_columns(name: str) -> tuple[str, ...]:
    return tuple(NAMES[name])
