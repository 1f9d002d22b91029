"""The words that stand in a personal adviser's cell and are nobody's name: vacant, to be confirmed, duty, a team.

Whole words, so that Tina Vacanti and Will Pendingham stay advisers, and exact where a word could begin a name.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from monitor.words import fold_name

WORKERS = r"((pa|p\.a|worker|adviser|advisor|personal\ (adviser|advisor)|social\ worker|key\ ?worker)s?|sw)"
STARTS = re.compile(
    rf"""
    vacan(t|cy|cies) | unallocated | unassigned | un-(allocated|assigned) | awaiting | waiting\ list | pending
    | unknown | none | nobody | no[ -]one | not\ yet | tb[acd]
    | not\ (yet\ |currently\ |been\ )*(allocated|assigned|known|recorded|applicable|confirmed|identified|appointed
        |specified|stated|named|available)
    | to\ be | n\ ?[/\\]\ ?[ak]
    | no\ ((allocated|assigned|named|current|present)\ )?{WORKERS}
    | {WORKERS}\ (to\ be|tb[acd])
    | t\ ?[./]\ ?b\ ?[./]\ ?[acd]\.?(?=\W*$|\ ?[^\w\s.])
    """,
    re.VERBOSE,
)
"""What nobody's name begins with, as whole words."""

DUTY = re.compile(
    r"duty(\s*$|\s*[-\u2013\u2014,:;/(\[]|\s+(social workers?|sw|team|workers?|pas?|desk|officers?|advis[eo]rs?|rota"
    r"|tray|inbox|line|manager|system|service)(?!\w))"
)
WHOLE = frozenset(
    {
        "null", "nan", "nat", "na", "nk", "nil", "test", "testing", "left", "leaver", "closed", "agency left",
        "pa team", "leaving care", "leaving care team", "care leavers team", "care leaver team", "team manager", "team",
        "tba", "tbc", "tbd", "allocated", "blank", "no", "noone", "no allocation",
    }
)  # fmt: skip
"""What is nobody's name only where nothing else stands beside it."""

OUTER = re.compile(r"^[\W_]+|[\W_]+$")
SPELT_OUT = re.compile(r"(\w[\W_]+)+\w")
"""Single letters with marks or spaces between them: T.B.C., N / A."""


def fold_adviser(text: str) -> str:
    """Return what an adviser's cell says as it is compared: case, spaces and marks around it aside."""
    folded = fold_name(unicodedata.normalize("NFKC", text))
    return folded if folded[:1].isalnum() and folded[-1:].isalnum() else OUTER.sub("", folded)


def is_nobody(folded: str) -> bool:
    """Return whether what stands in an adviser's cell, folded by ``fold_adviser``, is one of the words for nobody."""
    if not any(map(str.isalpha, folded)) or not folded.replace("x", "").strip(" -_./,*"):
        return True
    if (found := STARTS.match(folded)) and not re.match(r"[^\W_]|'", folded[found.end() :]):
        return True
    if SPELT_OUT.fullmatch(folded):
        folded = re.sub(r"[\W_]+", "", folded)
    return bool(DUTY.match(folded)) or " ".join(re.findall(r"[^\W_]+", folded)) in WHOLE


A_TEAM = 3
"""An allocated team of so many people is a team's name, whoever of them has it for an adviser."""


@dataclass(frozen=True)
class AdviserNames:
    """What the council says of names, all folded: who is no adviser, who is one, and the names of its teams.

    ``numbered``: the source shows an adviser without a name by number.
    """

    nobody: Collection[str] = frozenset()
    somebody: Collection[str] = frozenset()
    teams: Collection[str] = frozenset()
    numbered: bool = False


@dataclass(frozen=True)
class AdviserTexts:
    """The texts of an extract's advisers that are told apart from a name.

    ``nobody``: texts that are no adviser's name. ``own_team``: pairs of an adviser's text and a team's text that name
    the same team. ``somebody``: folded names that the council says are an adviser's, and that occur.
    """

    nobody: frozenset[str] = frozenset()
    own_team: tuple[tuple[str, str], ...] = ()
    somebody: frozenset[str] = frozenset()


NO_NAMES, NO_TEXTS = AdviserNames(), AdviserTexts()


def tell_apart(texts: Iterable[str], teams: Iterable[tuple[str, int]], names: AdviserNames) -> AdviserTexts:
    """Return which of the advisers' distinct texts name nobody; ``teams``: each team's text and how many have it."""
    teams = tuple(teams)
    sizes = Counter[str]()
    for team, people in teams:
        sizes[fold_adviser(team)] += people
    nobody, somebody, small = set[str](), set[str](), list[tuple[str, str]]()
    for text in texts:
        folded = fold_adviser(text)
        if folded in names.somebody:
            somebody.add(folded)
        elif names.numbered and folded.isdigit():
            continue
        elif folded in names.nobody or folded in names.teams or sizes[folded] >= A_TEAM or is_nobody(folded):
            nobody.add(text)
        elif folded in sizes:
            small.append((text, folded))
    own = tuple((text, team) for text, folded in small for team, _ in teams if fold_adviser(team) == folded)
    return AdviserTexts(frozenset(nobody), own, frozenset(somebody))
