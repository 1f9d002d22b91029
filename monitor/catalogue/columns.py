"""The catalogue of caseload columns: name, kind, codes, meaning, and the headings each source uses.

The data dictionary, the config checks, the rule checker and the error messages all come from here.
Names follow the Standard Safeguarding Dataset (SSD) without its prefixes. Codes are those of the SSDA903
return and of ``ssd_care_leavers.yml``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Kind = Literal["text", "date", "yes_no", "code", "number"]

DUCKDB_TYPES: Mapping[Kind, str] = MappingProxyType(
    {"text": "VARCHAR", "date": "DATE", "yes_no": "BOOLEAN", "code": "VARCHAR", "number": "INTEGER"}
)

ELIGIBILITY = {
    "eligible": "Eligible child: still looked after, 16 or 17, 13 weeks in care since 14",
    "relevant": "Relevant child: 16 or 17, no longer looked after, was eligible",
    "former relevant": "Former relevant: 18 to 24, was relevant, or eligible until 18",
    "qualifying": "Qualifying care leaver: in care at 16 or 17 but short of 13 weeks",
    "no current eligibility": "No current eligibility",
}
IN_TOUCH = {
    "YES": "In touch",
    "NO": "Not in touch",
    "DIED": "Died after leaving care",
    "REFU": "Refuses contact",
    "NREQ": "No longer needs services",
    "RHOM": "Returned home to a parent for six months or more",
}
ACCOMMODATION = {
    "B": "With parents or relatives",
    "C": "Community home or residential care",
    "D": "Semi-independent, transitional accommodation",
    "E": "Supported lodgings",
    "G": "Abroad",
    "H": "Deported",
    "K": "Ordinary lodgings",
    "R": "Residence not known",
    "S": "No fixed abode or homeless",
    "T": "Foyers and similar supported accommodation",
    "U": "Independent living",
    "V": "Emergency accommodation",
    "W": "Bed and breakfast",
    "X": "In custody",
    "Y": "Other accommodation",
    "Z": "With former foster carers",
}
ACTIVITY = {
    "F1": "Full time in higher education",
    "P1": "Part time in higher education",
    "F2": "Full time in other education",
    "P2": "Part time in other education",
    "F3": "Full time in training or employment (before 2022)",
    "P3": "Part time in training or employment (before 2022)",
    "F4": "Full time in an apprenticeship",
    "P4": "Part time in an apprenticeship",
    "F5": "Full time in training or employment",
    "P5": "Part time in training or employment",
    "G4": "Not in education, employment or training: illness or disability",
    "G5": "Not in education, employment or training: other reasons",
    "G6": "Not in education, employment or training: pregnancy or parenting",
}
BLANK_CODE = "blank"
"""What a council maps a text to that says nothing."""
OFFER_OUTCOME = {"accepted": "Accepted support", "declined": "Declined for now", "no reply": "No reply"}


@dataclass(frozen=True)
class Column:
    """One column of the caseload.

    ``records_past``: a date later than the run's date, or before the birth date, is unreadable.
    ``headings``: spellings in List 9 workbooks and extracts, matched loosely (case, spaces, punctuation).
    ``other_headings``: spellings that could mean something else, read only where no other heading means this one.
    ``ssd``: the field of the Standard Safeguarding Dataset it comes from, where there is one.
    """

    name: str
    kind: Kind
    meaning: str
    codes: Mapping[str, str] = field(default_factory=dict)
    records_past: bool = False
    headings: tuple[str, ...] = ()
    other_headings: tuple[str, ...] = ()
    ssd: str | None = None
    lowest: int | None = None
    highest: int | None = None

    @property
    def duckdb_type(self) -> str:
        return DUCKDB_TYPES[self.kind]


COLUMNS: tuple[Column, ...] = (
    Column(
        "date_of_birth", "date", "Date of birth.", records_past=True,
        headings=("Date of Birth", "DOB", "D.O.B.", "Birth Date"), other_headings=("Date of Birth (DOB)", "YP DOB"),
        ssd="pers_dob",
    ),
    Column(
        "eligibility", "code", "Category as recorded under the Children Act 1989.", ELIGIBILITY,
        headings=("Eligibility Category", "Category of Eligibility", "Eligibility Status"),
        other_headings=(
            "Care Leaver Eligibility", "Care Leaver Status", "Care Leaver Category", "Leaving Care Status",
            "Leaving Care Category", "Leaving Care Eligibility", "Eligibility Type", "LC Status", "CL Status",
        ),
        ssd="clea_care_leaver_eligibility",
    ),
    Column(
        "uasc", "yes_no", "Unaccompanied asylum-seeking child, or formerly so.",
        headings=(
            "Unaccompanied Asylum Seeking Child (UASC), or formerly UASC if 18 or over (Y/N)",
            "UASC", "Unaccompanied Asylum Seeking Child", "UASC or formerly UASC", "UASC Status",
        ),
        ssd="immi_immigration_status",
    ),
    Column(
        "disability", "yes_no", "Has a disability.",
        headings=("Does the Child have a Disability", "Disability", "Has Disability", "Disabled"),
        ssd="disa_disability_code",
    ),
    Column(
        "allocated_team", "text", "The team responsible, as the caseload spells it.",
        headings=("Allocated Team", "Team", "Team Name"),
        other_headings=("Current Team", "Responsible Team", "Leaving Care Team", "Worker Team", "Case Team"),
        ssd="clea_care_leaver_allocated_team",
    ),
    Column(
        "allocated_worker", "text", "The allocated worker.",
        headings=("Allocated Worker", "Worker", "Allocated Social Worker"),
        other_headings=("Social Worker", "Case Worker", "Allocated Case Worker", "Worker Name", "Social Worker Name"),
        ssd="clea_care_leaver_worker_id",
    ),
    Column(
        "personal_adviser", "text", "The personal adviser.",
        headings=(
            "Allocated Personal Adviser", "Personal Adviser", "Personal Adviser Name", "Allocated PA", "PA",
        ),
        other_headings=("PA Name", "Named PA", "Leaving Care PA", "Leaving Care Adviser", "Named Personal Adviser"),
        ssd="clea_care_leaver_personal_advisor",
    ),
    Column(
        "in_touch", "code", "Whether the authority is in touch.", IN_TOUCH,
        headings=("LA in Touch", "LA in touch with care leaver", "In Touch", "In Touch Status"),
        other_headings=(
            "In Touch With", "In Touch With Care Leaver", "Is LA in Touch", "Still in Touch", "Keeping in Touch",
        ),
        ssd="clea_care_leaver_in_touch",
    ),
    Column(
        "latest_contact_date", "date", "Latest contact with the personal adviser.", records_past=True,
        headings=(
            "Latest Date of Contact", "Latest Contact", "Date of Latest Contact", "Last Contact",
            "Last Contact Date", "Date of Last Contact",
        ),
        other_headings=(
            "Contact Date", "Date of Contact", "Last PA Contact", "Last PA Contact Date", "Date of Last PA Contact",
            "Most Recent Contact", "Most Recent Contact Date", "Last In Touch Date", "Last Contact With Young Person",
        ),
        ssd="clea_care_leaver_latest_contact",
    ),
    Column(
        "accommodation", "code", "Where the young person lives.", ACCOMMODATION,
        headings=("Type of Accommodation", "Accommodation Type"),
        other_headings=(
            "Accommodation Code", "Accommodation Status", "Current Accommodation", "Current Accommodation Type",
            "Living Arrangements", "Living Arrangement",
        ),
        ssd="clea_care_leaver_accommodation",
    ),
    Column(
        "accommodation_suitable", "yes_no", "Whether the accommodation is judged suitable.",
        headings=(
            "Suitability of Accommodation", "Accommodation Suitability", "Suitable Accommodation", "Suitability",
        ),
        other_headings=("Is Accommodation Suitable", "Is the Accommodation Suitable", "Suitable", "Accommodation OK"),
        ssd="clea_care_leaver_accom_suitable",
    ),
    Column(
        "activity", "code", "Education, employment or training.", ACTIVITY,
        headings=("Activity Status", "Main Activity"),
        other_headings=(
            "Activity Code", "Main Activity Status", "EET Status", "EET", "EET Activity", "Activity Type", "ETE Status",
            "Education Employment Training", "Education, Employment or Training", "Current Activity",
        ), ssd="clea_care_leaver_activity",
    ),
    Column(
        "pathway_plan_review_date", "date", "Pathway plan started or last reviewed, whichever is later.",
        records_past=True,
        headings=(
            "Latest Pathway Plan Review Date", "Latest Pathway Plan", "Latest Pathway Plan Date",
            "Latest Pathway Plan Review", "Pathway Plan Date",
        ),
        other_headings=(
            "Review Date", "Plan Review Date", "PP Review Date", "Pathway Plan Reviewed", "Last Pathway Plan",
            "Last Pathway Plan Date", "Last Pathway Plan Review", "Last Pathway Plan Review Date",
            "Date of Latest Pathway Plan", "Date of Last Pathway Plan", "Date of Pathway Plan", "Latest Review Date",
            "Pathway Plan", "Pathway Plan Last Reviewed", "Date Pathway Plan Reviewed", "Last Review Date",
        ),
        ssd="clea_pathway_plan_review_date",
    ),
    Column(
        "death_date", "date", "Date of death. Anything here, readable or not, means died.",
        headings=("Date of Death", "DOD"), ssd="pers_death_date",
    ),
    Column("eligible_from", "date", "Became an eligible child.", records_past=True),
    Column(
        "last_recorded_in_touch_date", "date",
        "When the in-touch status was last recorded (the 903 birthday record); not a contact.",
        records_past=True,
    ),
    Column("accommodation_start_date", "date", "Began living where they live now.", records_past=True),
    Column("accommodation_provided_by_authority", "yes_no", "The authority provides the accommodation."),
    Column("out_of_area", "yes_no", "Lives outside the authority's area."),
    Column("address_confirmed_date", "date", "Address last confirmed.", records_past=True),
    Column("last_visit_date", "date", "Last visit by the personal adviser.", records_past=True),
    Column(
        "agreed_contact_interval_days", "number", "Contact interval agreed with the young person, in days.",
        lowest=1, highest=183,
    ),
    Column("pa_start_date", "date", "The present personal adviser started.", records_past=True),
    Column("pa_first_met_date", "date", "First met a personal adviser.", records_past=True),
    Column("pa_changes_12_months", "number", "Changes of personal adviser in a year.", lowest=0, highest=99),
    Column("needs_assessment_date", "date", "Needs assessment completed.", records_past=True),
    Column(
        "plan_heads_complete", "number",
        "Heads completed of the ten of Schedule 1, Care Leavers (England) Regulations 2010.",
        lowest=0, highest=10,
    ),
    Column("plan_voice_recorded", "yes_no", "The plan records the young person's own view."),
    Column("plan_professionals_consulted", "yes_no", "Other professionals contributed to the plan."),
    Column("plan_identity_covered", "yes_no", "The plan covers identity, culture and language."),
    Column("plan_trauma_support_covered", "yes_no", "The plan covers support with trauma."),
    Column("plan_signed_off_date", "date", "A manager signed the plan off.", records_past=True),
    Column("over21_offer_date", "date", "Support was last offered after 21.", records_past=True),
    Column("over21_offer_outcome", "code", "What came of that offer.", OFFER_OUTCOME),
    Column("closure_date", "date", "The case was closed.", records_past=True),
    Column("closure_reason", "text", "Why the case was closed."),
    Column("risk_open", "yes_no", "A risk is recorded and open."),
    Column("risk_plan_review_date", "date", "The risk plan was last reviewed.", records_past=True),
    Column("local_offer_date", "date", "The local offer was last explained.", records_past=True),
    Column("health_history_date", "date", "The health history was handed over.", records_past=True),
    Column("last_supervision_date", "date", "The case was last discussed in supervision.", records_past=True),
    Column(
        "adult_services_decision_date", "date", "Adult services decided on support.", records_past=True
    ),
    Column("release_date", "date", "Expected release from custody."),
    Column("is_parent", "yes_no", "The young person is a parent."),
    Column("eet_action_date", "date", "Last action on education, employment or training.", records_past=True),
    Column(
        "care_days_since_14", "number", "Days looked after from the 14th birthday to the 18th, without short breaks.",
        lowest=0, highest=1462,
    ),
    # Tonight for somebody still in care, so it does not tell how fresh a source is.
    Column("last_day_in_care", "date", "The last day looked after before turning 18, without short breaks."),
)  # fmt: skip

BY_NAME: Mapping[str, Column] = MappingProxyType({column.name: column for column in COLUMNS})

LIST_9_COLUMNS: tuple[str, ...] = (
    "date_of_birth", "eligibility", "uasc", "disability", "allocated_team", "allocated_worker",
    "personal_adviser", "in_touch", "latest_contact_date", "accommodation", "accommodation_suitable",
    "activity", "pathway_plan_review_date",
)  # fmt: skip
"""What a 17-column List 9 supplies, besides person_id and the columns no rule needs."""

PERSON_ID_HEADINGS = (
    "Child Unique ID", "Unique Child ID", "Child ID", "Person ID", "Person Unique ID", "Unique ID", "Young Person ID",
    "Care Leaver ID", "Client ID",
)  # fmt: skip
SYSTEM_ID_HEADINGS = (
    "Mosaic ID", "Mosaic Number", "Mosaic No", "Mosaic Person ID", "LCS ID", "LCS Number", "LCS No", "LCS Person ID",
    "Eclipse ID", "Eclipse Number", "Eclipse No", "Liquidlogic ID", "Liquid Logic ID", "Liquidlogic Number", "LL ID",
    "ICS ID", "ICS Number", "ICS No", "Azeus ID", "CareDirector ID", "CareFirst ID", "CareFirst Number",
    "Framework ID",
    "Frameworki ID", "FWi ID", "SWIFT ID", "System ID", "Case Management ID", "Person Number", "Client Number",
    "Child Number", "Local ID", "Local Identifier", "LA Child ID", "LACHILDID", "Child Identifier", "Person Identifier",
    "YP ID", "YP Unique ID", "Young Person Unique ID", "Young Persons ID", "Service User ID", "Client Reference",
    "Person Reference", "Our Ref", "Ref No", "Reference", "Reference Number",
    "ID", "ID No", "ID Number", "Case ID", "Case Number", "CareLeaver Unique ID",
    "Unique Reference", "Unique Person ID",
)  # fmt: skip
"""Names of an id in the systems that councils keep their cases in; the id only where no plainer heading is there."""
IGNORED_HEADINGS = ("Gender", "Sex", "Ethnicity", "Age", "Age of Child (Years)", "Age at Extract", "Age Years")
"""List 9 headings that no rule needs: known, never read, never reported as extra."""

DERIVED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "age": ("INTEGER", "Whole years at the run's date; born on 29 February counts from 1 March."),
        "category": ("VARCHAR", "Eligibility put right for age, and kept for whoever once had it."),
        "declined": ("BOOLEAN", "Aged 21 or over and in_touch REFU or NREQ; never blank."),
        "present": ("BOOLEAN", "On tonight's caseload."),
        "once_entitled": ("BOOLEAN", "Accepted on an earlier night as eligible, relevant, former relevant."),
        "accommodation_since": ("DATE", "The first night seen in this kind of accommodation."),
        "elsewhere_until": ("DATE", "The last night seen in another kind before; one odd night does not count."),
        "as_at": ("DATE", "The date the run is about."),
    }
)
"""Columns the monitor works out, with DuckDB type and meaning; conditions may use them."""
