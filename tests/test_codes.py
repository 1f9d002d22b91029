"""What councils write in a code cell is read as the code it means, or is unreadable; never as another code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.catalogue.accommodation import Accommodation, read_accommodation
from monitor.catalogue.codes import read_code, read_yes_no, says_died
from monitor.catalogue.columns import ACCOMMODATION, ACTIVITY, COLUMNS, ELIGIBILITY, IN_TOUCH
from monitor.catalogue.phrases import UNREADABLE, is_blank
from monitor.catalogue.shapes import show, showable

SEEN = {
    "eligibility": {
        "R": "relevant",
        "FR": "former relevant",
        "Q": "qualifying",
        "E": "eligible",
        "a) Relevant child": "relevant",
        "b) Former relevant child": "former relevant",
        "c) Qualifying care leaver": "qualifying",
        "d) Eligible child": "eligible",
        "former relevant 18-20": "former relevant",
        "former relevant 21-24": "former relevant",
        "Care Leaver - PA to 25": "former relevant",
        "No Current Eligibility": "no current eligibility",
        "Other - under 16": "no current eligibility",
        "FR - Former Relevant": "former relevant",
        "-": None,
        "Qualifying (Former Relevant)": UNREADABLE,
        "R - Former relevant": UNREADABLE,
        "a": UNREADABLE,
    },
    "in_touch": {
        "a) Yes": "YES",
        "b) No": "NO",
        "c) Died": "DIED",
        "d) Refu": "REFU",
        "e) NREQ": "NREQ",
        "f) Rhom": "RHOM",
        "1": "YES",
        "01 - Yes, resident in the UK": "YES",
        "2 - No, whereabouts unknown": "NO",
        "No \u2013 not in touch": "NO",
        "NO - No - not in touch": "NO",
        "No longer in touch": "NO",
        "No longer requires services": "NREQ",
        "NREQ - Young person no longer requires children\u2019s social care services": "NREQ",
        "Young person refuses contact": "REFU",
        "No - refuses contact": "REFU",
        "Young person returned to live with parents or someone with parental responsibility for a continuous "
        "period of 6 months or more": "RHOM",
        "Care Leaver Details Not Recorded": None,
        "3": UNREADABLE,
        "Yes - refuses contact": UNREADABLE,
        "Yes, but no longer wants support": UNREADABLE,
    },
    "accommodation": {
        "(W) 16+ Bed and Breakfast": "W",
        "B&B": "W",
        "Whereabouts Unknown": "R",
        "Staying Put": "Z",
        "S: No fixed abode": "S",
        "S: No fixed abode / homeless": "S",
        "With parent(s) or relative(s)": "B",
        "With former foster carer(s)": "Z",
        "Supported lodgings": "E",
        "Bed and breakfast": "W",
        "Emergency accommodation": "V",
        "Emergency accommodation (like a night shelter, direct access or emergency hostel)": "V",
        "B: Parents/relatives": "B",
        "C: Community home / residential care": "C",
        "D: Semi-independent...": "D",
        "K: Ordinary lodgings...": "K",
        "T: Foyers...": "T",
        "Homeless [S]": "S",
        "s": "S",
        "0": "0",
        "Unknown": None,
        "Code 'S' is not mapped": UNREADABLE,
        "Residing with friends": UNREADABLE,
        "#MULTIVALUE": UNREADABLE,
        "#N/A": UNREADABLE,
        "W: With parents": UNREADABLE,
        "B - W": UNREADABLE,
        "A": UNREADABLE,
        "Lodgings": UNREADABLE,
        "Supported accommodation": UNREADABLE,
        "S2 4HG": UNREADABLE,
        "E1 6AN": UNREADABLE,
        "S. Somebody": UNREADABLE,
    },
    "activity": {
        "F1": "F1",
        "p2": "P2",
        "F3": "F3",
        "P3: Part time in training or employment": "P3",
        "F1: Full time in higher education": "F1",
        "G5: NEET": "G5",
        "Young person engaged full time in higher education (for example studies beyond A level)": "F1",
        "Young person engaged part time in education other than higher education": "P2",
        "Young person engaged full time in an apprenticeship": "F4",
        "Young person engaged part time in training or employment (not apprenticeship)": "P5",
        "Young person not in education, employment or training because of illness or disability": "G4",
        "Young person not in education, employment or training: other circumstances": "G5",
        "Young person not in education, employment or training due to pregnancy or parenting": "G6",
        "0": "0",
        "NEET": "G5",
        "G4: NEET": "G4",
        "full time": UNREADABLE,
        "F1: part time in higher education": UNREADABLE,
        "Was full time in higher education but left": UNREADABLE,
        "G4 0BA": UNREADABLE,
    },
}


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [(column, text, code) for column, texts in SEEN.items() for text, code in texts.items()],
)
def test_texts_seen_from_councils_are_read_as_their_code(column: str, text: str, code: object) -> None:
    assert read_code(column, text) == code


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("S2", Accommodation("S", False)),
        ("B1", Accommodation("B", True)),
        ("U2: Independent living", Accommodation("U", False)),
        ("Y - Not suitable", Accommodation("Y", False)),
        ("Y - Suitable", Accommodation("Y", True)),
        ("S", Accommodation("S", None)),
        ("S1 unsuitable", Accommodation(UNREADABLE, None)),
        ("A2", Accommodation(UNREADABLE, None)),
    ],
)
def test_a_suitability_digit_is_split_from_the_accommodation(text: str, read: Accommodation) -> None:
    assert read_accommodation(text) == read


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("uasc", "a) Yes", True),
        ("uasc", "b) No", False),
        ("uasc", "Unaccompanied Asylum Seeking Child (UASC)", True),
        ("disability", "c) Unknown", None),
        ("disability", "NONE", False),
        ("disability", "MOB", True),
        ("disability", "2", UNREADABLE),
        ("is_parent", "Y", True),
        ("is_parent", "N - Yes", UNREADABLE),
        ("is_parent", "true", True),
        ("accommodation_suitable", "1", True),
        ("accommodation_suitable", "2", False),
        ("accommodation_suitable", "0", None),
        ("accommodation_suitable", "0 - Unsuitable", False),
        ("accommodation_suitable", "b) Unsuitable", False),
        ("accommodation_suitable", "Not suitable", False),
        ("accommodation_suitable", "1 - Unsuitable", UNREADABLE),
        ("accommodation_suitable", "2 - Suitable", UNREADABLE),
    ],
)
def test_yes_and_no_are_read_in_every_way_they_are_written(column: str, text: str, said: object) -> None:
    assert read_yes_no(column, text) is said


@pytest.mark.parametrize("text", ["", " ", "-", "\u2013", "n/a", "N/A", "SSD_PH", "ssd_ph", "null"])
def test_dashes_and_placeholders_are_blank(text: str) -> None:
    assert is_blank(text)
    assert read_code("activity", text) is None


@pytest.mark.parametrize(
    ("text", "died"),
    [
        ("Deceased", True),
        ("Closed - death", True),
        ("YP died", True),
        ("Mother died", False),
        ("Diedrich", False),
    ],
)
def test_a_status_that_says_died_is_noticed(text: str, died: bool) -> None:
    assert says_died(text) is died


@pytest.mark.parametrize(
    "text",
    [
        "12/03/2004",
        "2004-03-12",
        "5 July 2004",
        "12345678",
        "SK11 6XX",
        "12 High Street",
        "a" * 25,
        "x@example.com",
        "Living with aunt Mary",
        "Tina Smith",
        "KHAN",
        "flat of J. Doe",
        "other (jim)",
        "J Young",
        "Mr Long",
        "Jo Li",
    ],
)
def test_what_could_be_personal_is_shown_by_its_shape_alone(text: str) -> None:
    assert showable(text) == ""
    assert not set(show(text)) & set("bcdefghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ12345678@")


@pytest.mark.parametrize(
    "text", ["MAYBE", "Sofa surfing", "HMO - unsuitable", "U5", "H5 - Semi-independent", "d) Exclude", "FR"]
)
def test_a_code_or_a_phrase_that_is_unknown_is_shown(text: str) -> None:
    assert show(f" {text} ") == text


def test_a_shape_keeps_what_helps_to_find_a_text() -> None:
    assert show("With Zoë O'Brien, 07700 900123") == "Aaaa Aaa A'Aaaaa, 99999 999999"


LETTERED = [
    (column, code, meaning)
    for column, codes in (("in_touch", IN_TOUCH), ("accommodation", ACCOMMODATION), ("activity", ACTIVITY))
    for code, meaning in codes.items()
]


@given(
    entry=st.sampled_from(LETTERED),
    shape=st.sampled_from(["{c}", "{m}", "{c}: {m}", "{c} - {m}", "({c}) {m}", "{m} ({c})", "{c}) {m}", "{c}={m}"]),
    mark=st.sampled_from(["", "a) ", "12 - ", "c): "]),
    case=st.sampled_from([str, str.upper, str.lower]),
    space=st.sampled_from([" ", "  ", "\n", "\u00a0"]),
    edge=st.sampled_from(["", " ", "\u00a0", "\r\n"]),
)
def test_a_code_in_any_dress_is_itself_or_unreadable(
    entry: tuple[str, str, str], shape: str, mark: str, case: object, space: str, edge: str
) -> None:
    column, code, meaning = entry
    bare = shape.format(c=code, m=meaning)

    dressed = edge + case(mark + bare).replace(" ", space) + edge  # type: ignore[operator]

    # A list mark before a code is a second code; only before a description is it sure to be a mark.
    expected = {code} if not mark else {code, UNREADABLE}
    assert read_code(column, dressed) in expected


@given(column=st.sampled_from([c for c in COLUMNS if c.codes]), text=st.text(max_size=40))
def test_any_text_at_all_is_a_code_blank_or_unreadable(column: object, text: str) -> None:
    read = read_code(column.name, text)  # type: ignore[attr-defined]

    assert read in {*column.codes, None, UNREADABLE, "0"}  # type: ignore[attr-defined]


@given(
    description=st.sampled_from(sorted(ACCOMMODATION.values())),
    remark=st.text("abcdefghijklmnopqrstuvwxyz ", min_size=1, max_size=20),
)
def test_a_description_with_more_words_is_never_read_by_its_first_letter(description: str, remark: str) -> None:
    letter = next(code for code, meaning in ACCOMMODATION.items() if meaning == description)

    read = read_code("accommodation", f"{description} {remark}")

    assert read in {letter, UNREADABLE}


@given(category=st.sampled_from(sorted(ELIGIBILITY)), mark=st.sampled_from(["", "a) ", "b)", "1. ", "(c) "]))
def test_a_category_after_a_list_mark_is_that_category(category: str, mark: str) -> None:
    assert read_code("eligibility", mark + category.title()) == category
