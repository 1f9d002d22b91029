"""Words that stand for nobody under the advisers' heading, and names that only look like them."""

import pytest

from monitor.catalogue.no_adviser import AdviserNames, fold_adviser, is_nobody, tell_apart

NOBODY = """vacant|Vacancy|VACANT POST|Vacant - North|vacant (was A Smith)|unallocated|Unassigned|not allocated
Not yet allocated|not assigned|not known|not recorded|not applicable|Not yet known|to be allocated|To Be Confirmed|TBA
tbc|T.B.C.|T B C|tbd|TBC - new worker|awaiting allocation|Awaiting|waiting list|pending|Pending allocation|unknown
UNKNOWN worker|none|None allocated|nobody|N/A|n / a|N / A|n/k|no pa|No worker|no adviser|No advisor
No Personal Advisor allocated|PA to be allocated|duty|Duty Team|duty worker|Duty PA|duty desk|Duty officer|Duty - North
duty, north|duty: x|duty (north)|null|NaN|NaT|na|NK|test|Testing|left|Leaver|closed|agency - left|Agency-Left|PA Team
leaving care team|Care Leavers Team|team manager|team|xxx|X X|x|?|12345|***|(vacant)|"TBC"|*TBC*|n.a.|N.A|-none-|tbc.
Vacant_North|No P.A.|no-one|vacant/duty|To be Advised|vacant\u200b|\u200evacant|  TBC  |\uff34\uff22\uff23"""

SOMEBODY = """Tina Vacanti|Will Pendingham|Nat Turner|Na Li|Ann Testa|Duty Morgan|Noah Duty|Nan Evans|N.A. Smith
N A Smith|T.B. Carter|No Min-jun|Noone, Jim|Max X|Xi|Xx Li|Test Pilot|Teo Left|Leaver, Ann|Nobodyson|O'None|Pat None
Sam Pending|Team Leader Bob|Tobe Hooper|Closed Door|Nkem Na|Vacant's"""


@pytest.mark.parametrize("text", "|".join(NOBODY.splitlines()).split("|"))
def test_a_word_for_nobody_is_no_adviser(text: str) -> None:
    assert is_nobody(fold_adviser(text))


@pytest.mark.parametrize("text", "|".join(SOMEBODY.splitlines()).split("|"))
def test_a_name_that_looks_like_a_word_for_nobody_is_an_adviser(text: str) -> None:
    assert not is_nobody(fold_adviser(text))


def test_a_team_is_no_adviser_and_a_team_of_two_only_for_its_own_people() -> None:
    teams = (("North Hub", 3), ("Ann Example", 1), ("ann example", 1))

    texts = tell_apart(["north  hub.", "Ann Example", "Ben Example"], teams, AdviserNames())

    assert texts.nobody == {"north  hub."}
    assert texts.own_team == (("Ann Example", "Ann Example"), ("Ann Example", "ann example"))


def test_the_councils_word_goes_before_every_other() -> None:
    names = AdviserNames(nobody={"tray 4"}, somebody={"duty - morgan", "north hub"})

    texts = tell_apart(["Tray 4", "Duty - Morgan", "North Hub"], (("North Hub", 9),), names)

    assert (texts.nobody, texts.somebody) == ({"Tray 4"}, {"duty - morgan", "north hub"})


def test_where_advisers_are_shown_by_number_a_number_is_one() -> None:
    assert tell_apart(["1001"], (), AdviserNames(numbered=True)).nobody == frozenset()
    assert tell_apart(["1001"], (), AdviserNames()).nobody == {"1001"}
