"""What councils write for where a young person lives, read as a letter of the return.

A description is read where it begins with a short form of one kind of place and goes on only in words that the
return's own description of that kind uses. Nothing else makes somebody homeless, or puts somebody in custody.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from monitor.catalogue.columns import ACCOMMODATION
from monitor.catalogue.phrases import (
    BLANK_PHRASES,
    LIST_MARK,
    UNREADABLE,
    Code,
    Token,
    fold_phrase,
    is_blank,
    label_words,
    read_in_parts,
    split_token,
    squeeze,
)

NOT_APPLICABLE = "0"
"""SSDA903's 0 for accommodation and activity: neither blank nor unreadable, and none of the codes."""


@dataclass(frozen=True)
class Accommodation:
    """A kind of accommodation, and whether the same cell says it is suitable (S2, "Y - Not suitable")."""

    code: Code
    suitable: bool | None = None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AGED = _words("16 17 18 19 20 21 24 25 plus aged over and or")
_WITH_ANY = _AGED | _words(
    "the a an of in at type arranged provided through by agency la local authority council inside outside boundary "
    "area borough county house ie eg e g i for example such as like etc accommodation living scheme"
)
"""Words that may follow most places: whose it is, on which side of the boundary, at what age."""


@dataclass(frozen=True)
class _Place:
    """How one kind of place is written: ``short`` (a pattern), and the words that may follow it."""

    short: str
    more: str
    follows: frozenset[str] = _WITH_ANY

    @cached_property
    def words(self) -> frozenset[str]:
        return _words(self.more) | self.follows

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        # A text that was cut short ends within a word: "semi independent transitional accom".
        known = "|".join(sorted(self.words))
        return re.compile(rf"(?:{self.short})(?: (?:{known})(?= |$))*(?: (?P<cut>[a-z0-9]{{3,}}))?")


_PLACES: Mapping[str, _Place] = {
    "B": _Place(
        r"(with )?(a |his |her |their |own |birth )?(parents?|relatives?|family|mother|father|mum|dad)"
        r"|with (a |his |her |their )?connected persons?|(birth |own )?family home",
        "parents parent relatives relative family connected person persons own birth their home other in la local "
        "authority inside outside boundary area",
        _AGED,
    ),
    "C": _Place(
        r"community home|(other )?residential care( home)?|childrens (residential )?homes?",
        "other form forms residential care home homes community nhs establishment estabishment childrens",
    ),
    "D": _Place(
        r"semi independen(t|ce)|transitional|(family centre or )?mother and baby (unit|home)"
        r"|self contained accommodation with (specialist|floating)",
        "transitional supported hostel trainer training flat flats self contained with specialist personal assistance "
        "support young people disabilities pregnant women single parents floating independent unit",
    ),
    "E": _Place(
        r"supported lodgings?",
        "usually family home where adults adult host provide provides formal advice and support shared lives supported "
        "lodging lodgings provider placement",
    ),
    "G": _Place(
        r"((has )?gone|living|lives|resident|moved|went) (to live )?(abroad|overseas)|abroad|overseas"
        r"|(has )?left (the )?(uk|country)|outside (of )?(the )?uk",
        "uk country abroad overseas permanently left",
    ),
    "H": _Place(r"(has been |was )?deported", "from uk the country", _AGED),
    "K": _Place(
        r"ordinary lodgings?|lodgings? (with )?(no|without)( any)? formal support",
        "without no formal support with lodging lodgings any",
    ),
    "R": _Place(
        r"((current )?(residence|whereabouts|address|place of residence|location)( is| are| currently)?"
        r"|accommodation)( not known| unknown)|(not known|unknown) (residence|whereabouts|address)"
        r"|no known (address|residence|whereabouts)",
        "whereabouts residence address not known unknown",
        _AGED,
    ),
    "S": _Place(
        r"(of )?no fixed (abode|address)|nfa|(street |currently )?homeless|rough sleep(ing|er)|sleeping rough",
        "homeless no fixed abode nfa rough sleeping sleeper street",
        _AGED,
    ),
    "T": _Place(
        r"(the )?foyers?",
        "similar supported accommodation lodging lodgings which combines combining with opportunities education "
        "training employment",
    ),
    "U": _Place(
        r"independent( living| accommodation| tenancy| flat)?|living independently"
        r"|(own|council|local authority|la|housing association|ha|private|social|social housing|independent) tenancy"
        r"|(university|college|student) (accommodation|halls?)|halls of residence|(own|council) (flat|house)"
        r"|private(ly)? (rented|rental|renting)",
        "independent independently tenancy own flat flats house bedsit including includes housing association provided "
        "college university sharing private rented renting council social student halls hall residence tenant",
    ),
    "V": _Place(
        r"emergency( accommodation)?|night shelter|(emergency|direct access) hostel",
        "night shelter direct access emergency hostel hostels",
    ),
    "W": _Place(r"bed and breakfasts?|b and b|bnb", "bed breakfast hotel"),
    "X": _Place(
        r"(currently )?(in )?(custody|prison|yoi)|young offenders? institution|hmp|hm prison",
        "prison custody young offender offenders institution yoi hmp remand remanded sentenced on in",
        _AGED,
    ),
    "Y": _Place(r"(any )?other", "accommodation type of residence", _AGED),
    "Z": _Place(
        r"((living |lives |remaining |remains |staying |placed )?with )?(a |his |her |their )?(former |ex )foster "
        r"(carers?|family|parents?)( where the young person has been fostered .*)?|staying put",
        "continuing remaining turning staying put former foster carer carers family arrangement placement with where "
        "young person has been fostered on continues to remain the same who had them immediately prior their reaching "
        "legal adulthood plan care involves this future independent provider",
    ),
}  # fmt: skip

_BEFORE_ANY = (
    r"(?:in house |(?:16|17|18|21) (?:plus )?(?:to \d\d )?"
    r"|(?:currently |now )?(?:living|lives|residing|resides|placed) (?=in |with |at )"
    r"|in (?:an? )?(?=\w{4})|the |an? )+"
)
"""What may stand before the name of a place without changing it."""

_TURNS_IT_ROUND = _words(
    "not no never was were previously formerly released left leaving ended until unless risk moved refused awaiting "
    "history waiting applied due pending"
)

_LETTER = r"[B-Zb-z][1-9]?"
ACCOMMODATION_LABEL = label_words("accommodation")


def read_accommodation(text: str) -> Accommodation:
    """Return the letter, with the suitability that an SSDA903 digit or the words beside it give."""
    return read_in_parts(text, ACCOMMODATION_LABEL, _read_whole, lambda read: read.code, Accommodation(UNREADABLE))


def _read_whole(text: str) -> Accommodation:
    bare = squeeze(text)
    if is_blank(bare) or fold_phrase(bare) in BLANK_PHRASES:
        return Accommodation(None)
    if re.fullmatch(r"0(\.0)?", bare):
        return Accommodation(NOT_APPLICABLE)
    # "b) Community home" is the second of a list: no council writes the return's own letters so.
    listed = LIST_MARK.match(bare)
    token, rest = (None, bare[listed.end() :]) if listed else split_token(bare, _LETTER)
    if listed and split_token(rest, _LETTER)[0]:
        marked, after = listed[1].upper(), _read_whole(rest)
        return after if marked not in _PLACES or after.code == marked else Accommodation(UNREADABLE)
    phrase, said = _take_suitability(fold_phrase(rest))
    described = find_place(phrase)
    if token is None:
        known = UNREADABLE if described is None else described
        return Accommodation(known, said if known is not UNREADABLE else None)
    letter, digit = token.code[0].upper(), token.code[1:]
    suitable = {"1": True, "2": False}.get(digit, said)
    if letter not in _PLACES or (digit in _SUITABILITY and said not in (None, suitable)):
        return Accommodation(UNREADABLE)
    if digit and digit not in _SUITABILITY and described != letter:
        return Accommodation(UNREADABLE)
    if described is UNREADABLE and _stands_beside(letter, token, rest, phrase):
        described = letter
    return Accommodation(letter, suitable) if described in (None, letter) else Accommodation(UNREADABLE)


_SUITABILITY = ("1", "2")


def _stands_beside(letter: str, token: Token, rest: str, phrase: str) -> bool:
    """Whether a letter is a code beside a remark that names no kind of place.

    "E1 6AN" is an address and "S. Name" a person: without a delimiter the remark must be about places.
    """
    words = set(phrase.split())
    if letter not in "SX" and words & _GRAVE:
        return False
    if own := re.match(rf"(?:{_BEFORE_ANY})?(?:{_PLACES[letter].short})(?= |$)", phrase):
        return find_place(phrase[own.end() :].strip()) in (None, UNREADABLE, letter)
    if letter == "R" and words <= _PLACES["R"].words:
        return True
    if words & _TURNS_IT_ROUND:
        return False
    if not token.delimited:
        return words <= _place_words()
    # Unless the remark is a code itself: "B - W" could be either.
    return _read_whole(rest).code in (UNREADABLE, letter)


_SURE_BEGINNING = 12
"""Letters of a description after which what was cut short can only go on in one way."""

_GRAVE = _words("homeless homelessness abode nfa rough sofa surfing custody prison yoi hmp remand remanded")
"""Words beside which another letter is no longer sure."""


def _take_suitability(phrase: str) -> tuple[str, bool | None]:
    """The phrase without "suitable" or "unsuitable" at its end, and what that said."""
    found = re.search(r"(?:^| )(not suitable|unsuitable|suitable)$", phrase)
    return (phrase[: found.start()], found[1] == "suitable") if found else (phrase, None)


def find_place(phrase: str) -> Code:
    """Return the letter of a folded description; None for an empty one."""
    if not phrase:
        return None
    meanings = _folded_meanings()
    if phrase in meanings:
        return meanings[phrase]
    whole = [letter for meaning, letter in meanings.items() if meaning.startswith(phrase)]
    if len(phrase) >= _SURE_BEGINNING and len(whole) == 1 and whole[0] not in "SXR":
        return whole[0]
    before = re.match(_BEFORE_ANY, phrase)
    starts = {phrase, phrase[before.end() :] if before else phrase}
    found = [letter for letter, place in _PLACES.items() if any(_is_of(place, start) for start in starts)]
    return found[0] if len(found) == 1 else UNREADABLE


@cache
def _folded_meanings() -> Mapping[str, str]:
    return {fold_phrase(meaning): letter for letter, meaning in ACCOMMODATION.items()}


def _is_of(place: _Place, phrase: str) -> bool:
    found = place.pattern.fullmatch(phrase)
    if found is None:
        return False
    cut = found["cut"]
    return cut is None or (place.follows is _WITH_ANY and any(word.startswith(cut) for word in place.words))


@cache
def _place_words() -> frozenset[str]:
    living = _words("residing lives living with friends friend partner staying shared")
    return living.union(*(place.words for place in _PLACES.values()))
