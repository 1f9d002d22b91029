"""What councils write in a code cell, read as the code it means; whatever could mean two things is unreadable.

Where a code and its description disagree, the cell is unreadable.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from monitor.catalogue.broken_cells import explain_broken
from monitor.catalogue.columns import BY_NAME, ELIGIBILITY
from monitor.catalogue.phrases import (
    BLANK_PHRASES,
    MARK,
    UNREADABLE,
    Code,
    YesNo,
    fold_phrase,
    is_blank,
    split_token,
    squeeze,
    without_mark,
)

NOT_APPLICABLE = "0"
"""SSDA903's 0 for accommodation and activity: neither blank nor unreadable, and none of the codes."""


def read_code(column: str, text: str) -> Code:
    """Return the code that ``text`` means in a column of codes; None for blank."""
    if column == "accommodation":
        return read_accommodation(text).code
    bare = squeeze(text)
    if is_blank(bare):
        return None
    if explain_broken(bare):
        return UNREADABLE
    readers: dict[str, Callable[[str], Code]] = {
        "eligibility": _read_eligibility,
        "in_touch": _read_in_touch,
        "activity": _read_activity,
        "over21_offer_outcome": _read_offer_outcome,
    }
    return readers[column](bare) if column in readers else _read_plain(column, bare)


def says_died(text: str) -> bool:
    """Return whether a status that is no code says that the young person has died."""
    words = set(fold_phrase(text).split())
    return bool(words & {"died", "deceased", "death", "dead"}) and not words & _OTHER_PEOPLE


_OTHER_PEOPLE = frozenset(
    {
        "parent", "parents", "mother", "father", "mum", "dad", "partner", "brother", "sister", "sibling",
        "carer", "carers", "friend", "friends", "relative", "relatives", "grandmother", "grandfather",
        "grandparent", "nan", "childs", "son", "daughter", "baby", "risk",
    }
)  # fmt: skip


def showable(text: str) -> str:
    """Return ``text`` if it can only be a code or a short phrase, else "": never an id, a date, an address or prose."""
    bare = squeeze(text)
    if len(bare) > 24 or not re.fullmatch(r"[A-Za-z0-9 .,:;()\[\]/#'&+_!?-]+", bare):
        return ""
    looks_personal = (
        r"\d{5,}"
        r"|\d{1,4}[-/. ][A-Za-z0-9]{1,9}[-/. ]\d{2,4}"
        r"|\b[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}\b"
        r"|\b(street|st|road|rd|avenue|ave|lane|close|drive|court|house|flat|way)\b"
    )
    return "" if re.search(looks_personal, bare, re.IGNORECASE) else bare


# Eligibility

_ELIGIBILITY = {
    "relevant": "relevant", "relevant child": "relevant", "relevant care leaver": "relevant", "r": "relevant",
    "relevant young person": "relevant",
    "former relevant": "former relevant", "former relevant child": "former relevant", "fr": "former relevant",
    "former relevant care leaver": "former relevant", "former relevant young person": "former relevant",
    # The name some councils give the extended duty of s.23CZB, owed to former relevant people only.
    "care leaver pa to 25": "former relevant",
    "qualifying": "qualifying", "qualifying care leaver": "qualifying", "qualifying child": "qualifying",
    "qualifying young person": "qualifying", "q": "qualifying",
    "eligible": "eligible", "eligible child": "eligible", "eligible care leaver": "eligible", "e": "eligible",
    "eligible young person": "eligible",
    "no current eligibility": "no current eligibility", "not eligible": "no current eligibility",
    "no eligibility": "no current eligibility", "none": "no current eligibility",
    "n": "no current eligibility",
    # Nobody under 16 is in any category. If it stands for someone who has since turned 18 it is out of date,
    # and "no current eligibility" is what opens the flag that asks.
    "other under 16": "no current eligibility", "under 16": "no current eligibility",
}  # fmt: skip


def _read_eligibility(text: str) -> Code:
    # "Qualifying (Former Relevant)" names two categories with different duties: it is not in the table, so it
    # is unreadable and someone is asked, rather than the adviser and plan rules being guessed on or off.
    token, rest = split_token(text, r"(?i:fr|r|q|e|n)")
    said = _eligibility_of(fold_phrase(rest)) if rest else None
    if token is None:
        return said
    recorded = _ELIGIBILITY[token.code.casefold()]
    return recorded if said in (None, recorded) else UNREADABLE


def _eligibility_of(phrase: str) -> Code:
    if phrase in BLANK_PHRASES:
        return None
    for category, meaning in ELIGIBILITY.items():
        if phrase == fold_phrase(meaning):
            return category
    without_ages = re.sub(r" (aged )?\d\d( (to )?\d\d)?( plus)?$", "", phrase)
    return _ELIGIBILITY.get(phrase) or _ELIGIBILITY.get(without_ages) or UNREADABLE


# In touch

_IN_TOUCH = {
    "YES": r"yes|y|in touch|(yes )?(still )?in touch( with (la|local authority|authority|young person|yp))?|1|01",
    "NO": r"no|n|(no )?(not|no longer) in touch|(no )?out of touch|(no )?lost touch|2|02",
    "DIED": r"died|deceased|dead|death|(young person |care leaver )?(has )?died( after leaving care)?",
    "REFU": r"refu|((no )?(young person |yp |care leaver )?(has )?refus(es|ed|ing)( all)?( contact)?)",
    "NREQ": (
        r"nreq|(no )?(young person |yp )?no longer (requires?|needs?|wants?)( childrens social care)?"
        r"( services?| support| contact)?|(no )?(services? |support )?(no longer|not) (required|needed)"
    ),
    "RHOM": (
        r"rhom|(young person |yp )?(has )?(returned|return) (home|to live with parents?)"
        r"( to (a |their )?parents?| or someone with parental responsibility)?"
        r"( for)?( a)?( continuous)?( period)?( of)?( (6|six) months)?( or more)?"
    ),
}


def _read_in_touch(text: str) -> Code:
    token, rest = split_token(text, r"(?i:yes|no|died|refu|nreq|rhom)")
    # "No - not in touch" and "No longer in touch" are phrases of their own, not a code with a remark.
    whole = _in_touch_of(fold_phrase(without_mark(text)))
    if token is None or whole is not UNREADABLE:
        return whole
    said = _in_touch_of(fold_phrase(rest))
    recorded = token.code.upper()
    if said is UNREADABLE:
        return recorded if token.delimited and recorded not in {"YES", "NO"} else UNREADABLE
    return recorded if said in (None, recorded) else UNREADABLE


def _in_touch_of(phrase: str) -> Code:
    if phrase in BLANK_PHRASES:
        return None
    for code, pattern in _IN_TOUCH.items():
        if phrase == fold_phrase(BY_NAME["in_touch"].codes[code]) or re.fullmatch(pattern, phrase):
            return code
    # "01 - Yes, resident in the UK": a plain yes or no with a remark that speaks of nothing else.
    first, _, rest = phrase.partition(" ")
    remark = rest.split()
    if not remark or len(remark) > 8 or set(remark) & _REMARKS_THAT_CHANGE_IT:
        return UNREADABLE
    return {"yes": "YES", "no": "NO"}.get(first, UNREADABLE)


_REMARKS_THAT_CHANGE_IT = frozenset(
    {
        "no", "not", "longer", "refuses", "refused", "refusing", "refu", "nreq", "rhom", "died",
        "deceased", "dead", "death", "returned", "return", "home", "but", "requires", "required",
        "require", "needs", "needed", "need", "wants", "want", "never", "unless", "until", "was",
    }
)  # fmt: skip


# Accommodation


@dataclass(frozen=True)
class Accommodation:
    """A kind of accommodation, and whether the same cell says it is suitable (S2, "Y - Not suitable")."""

    code: Code
    suitable: bool | None = None


_PLACES = {
    "B": (
        r"(living |lives )?with (a )?(parents?|relatives?|family|parents? or relatives?|parents? relatives?"
        r"|parents? or (other )?family)|parents?|relatives?|parents? (or )?relatives?|parents? or family|family"
    ),
    "C": (
        r"community home( residential care| or residential care"
        r"| or other form of residential care( such as an? .*)?)?|residential care|childrens home"
    ),
    "D": r"semi independent( living| accommodation)?( transitional accommodation.*)?|transitional accommodation",
    "E": r"supported lodgings?( accommodation usually in a family home.*)?",
    "G": r"(gone |living |lives |moved )?abroad|overseas",
    "H": r"deported",
    "K": r"ordinary lodgings?( without formal support)?",
    "R": r"(residence|whereabouts|address)( is)?( not known| unknown)",
    "S": r"no fixed abode( or homeless| homeless)?|homeless( no fixed abode)?|nfa|street homeless|rough sleeping",
    "T": r"foyers?( (and|or) similar( supported accommodation)?)?( which combines.*)?",
    "U": (
        r"independent( living| accommodation| tenancy)?( for example independent tenancy.*)?"
        r"|(own|council|local authority|housing association|private|social) tenancy|university accommodation"
    ),
    "V": r"emergency( accommodation)?( like a night shelter.*)?|night shelter|emergency hostel",
    "W": r"(16 )?(bed and breakfast|b and b)( accommodation)?",
    "X": r"(in )?(custody|prison)|young offenders? institution|yoi|hmp",
    "Y": r"other( accommodation)?",
    "Z": (
        r"(with )?(their )?former foster (carers?|family)( where the young person.*)?"
        r"|staying put( arrangement| with former foster carers?| with foster carers?)?"
    ),
}


def read_accommodation(text: str) -> Accommodation:
    """Return the letter, with the suitability that an SSDA903 digit or the words beside it give."""
    bare = squeeze(text)
    if _says_nothing(bare):
        return Accommodation(None)
    if re.fullmatch(r"0(\.0)?", bare):
        return Accommodation(NOT_APPLICABLE)
    token, rest = split_token(bare, r"[B-Zb-z][12]?")
    phrase, said = _take_suitability(fold_phrase(rest))
    described = _place_of(phrase)
    if token is None:
        return Accommodation(described, said if described is not UNREADABLE else None)
    letter, digit = token.code[0].upper(), token.code[1:]
    suitable = {"1": True, "2": False, "": said}[digit]
    if letter not in _PLACES or (digit and said not in (None, suitable)):
        return Accommodation(UNREADABLE)
    # A delimiter makes the letter a code whatever remark follows it, unless the remark is a code itself:
    # "b) C: Community home" has a list mark that looks like a code.
    if described is UNREADABLE and token.delimited and read_accommodation(rest).code in (UNREADABLE, letter):
        described = letter
    return Accommodation(letter, suitable) if described in (None, letter) else Accommodation(UNREADABLE)


def _says_nothing(bare: str) -> bool:
    return is_blank(bare) or fold_phrase(bare) in BLANK_PHRASES


def _take_suitability(phrase: str) -> tuple[str, bool | None]:
    """The phrase without "suitable" or "unsuitable" at its end, and what that said."""
    found = re.search(r"(?:^| )(not suitable|unsuitable|suitable)$", phrase)
    return (phrase[: found.start()], found[1] == "suitable") if found else (phrase, None)


def _place_of(phrase: str) -> Code:
    if not phrase:
        return None
    for letter, meaning in BY_NAME["accommodation"].codes.items():
        if phrase == fold_phrase(meaning) or re.fullmatch(_PLACES[letter], phrase):
            return letter
    return UNREADABLE


# Activity

_ACTIVITY_WORDS = frozenset(
    {
        "young", "person", "engaged", "in", "full", "part", "time", "higher", "education", "for",
        "example", "e", "g", "i", "studies", "beyond", "a", "level", "levels", "other", "than",
        "training", "or", "employment", "and", "an", "apprenticeship", "apprenticeships", "not", "neet",
        "due", "to", "because", "of", "illness", "disability", "pregnancy", "parenting", "circumstances",
        "reasons", "before", "2022", "further",
    }
)  # fmt: skip


def _read_activity(bare: str) -> Code:
    if re.fullmatch(r"0(\.0)?", bare):
        return NOT_APPLICABLE
    if fold_phrase(bare) in BLANK_PHRASES:
        return None
    token, rest = split_token(bare, r"[FPGfpg][1-6]")
    phrase = fold_phrase(rest)
    described = _activity_of(phrase) if phrase else None
    if token is None:
        return described if described is not None else UNREADABLE
    code = token.code.upper()
    if code not in BY_NAME["activity"].codes:
        return UNREADABLE
    if described is UNREADABLE:
        return code if token.delimited and _read_activity(rest) in (UNREADABLE, code) else UNREADABLE
    # Training or employment was F3 and P3 before 2022, F5 and P5 since; the words are the same.
    return code if described in (None, code, code.replace("3", "5")) else UNREADABLE


def _activity_of(phrase: str) -> Code:
    """Only where every word is one that the return's own descriptions use: prose may say the opposite."""
    for code, meaning in BY_NAME["activity"].codes.items():
        if phrase == fold_phrase(meaning):
            return code
    words = phrase.split()
    if set(words) - _ACTIVITY_WORDS:
        return UNREADABLE
    if re.search(r"not in education employment (or|and) training|\bneet\b", phrase):
        return _only(code for code, pattern in _REASONS if re.search(pattern, phrase))
    modes = [letter for letter, mode in (("F", "full time"), ("P", "part time")) if mode in phrase]
    subject = _subject_of(phrase)
    return modes[0] + subject if len(modes) == 1 and isinstance(subject, str) else UNREADABLE


_REASONS = (("G4", r"illness|disability"), ("G6", r"pregnancy|parenting"), ("G5", r"other (circumstances|reasons)"))


def _subject_of(phrase: str) -> Code:
    left = re.sub(r"(not|other than)( an)? apprenticeships?", "", phrase)
    subjects = []
    if re.search(r"(education )?other than higher( education)?|other education|further education", left):
        subjects.append("2")
    elif "higher education" in left:
        subjects.append("1")
    if "apprenticeship" in left:
        subjects.append("4")
    if re.search(r"training|employment", left):
        subjects.append("5")
    return _only(subjects)


def _only(codes: Iterable[str]) -> Code:
    found = list(codes)
    return found[0] if len(found) == 1 else UNREADABLE


# What came of an offer, and any further column of codes


def _read_offer_outcome(text: str) -> Code:
    phrases = {
        "accepted": "accepted", "accepted support": "accepted",
        "declined": "declined", "declined for now": "declined", "refused": "declined",
        "no reply": "no reply", "no response": "no reply", "not answered": "no reply",
    }  # fmt: skip
    phrase = fold_phrase(without_mark(text))
    return None if phrase in BLANK_PHRASES else phrases.get(phrase, UNREADABLE)


def _read_plain(column: str, text: str) -> Code:
    phrase = fold_phrase(text)
    for code, meaning in BY_NAME[column].codes.items():
        if phrase in (fold_phrase(code), fold_phrase(meaning)):
            return code
    return None if phrase in BLANK_PHRASES else UNREADABLE


# Yes and no

_YES_OR_NO: Mapping[str, YesNo] = {
    **dict.fromkeys(("yes", "y", "true", "t", "1"), True),
    **dict.fromkeys(("no", "n", "false", "f", "0"), False),
    **dict.fromkeys(BLANK_PHRASES),
}
_OWN_WORDS: Mapping[str, Mapping[str, YesNo]] = {
    # The return's digits: 1 suitable, 2 unsuitable, 0 not applicable.
    "accommodation_suitable": {
        **dict.fromkeys(("0", "not applicable")),
        **dict.fromkeys(("suitable", "accommodation is considered suitable", "considered suitable"), True),
        **dict.fromkeys(
            (
                "2", "unsuitable", "not suitable", "accommodation is considered unsuitable", "considered unsuitable",
            ),
            False,
        ),
    },
    "disability": {
        **dict.fromkeys(
            (
                "mob", "hand", "pc", "inc", "comm", "ld", "hear", "vis", "beh", "con", "aut", "dda", "disabled",
                "has a disability",
            ),
            True,
        ),
        **dict.fromkeys(("none", "no disability", "not disabled"), False),
    },
    "uasc": {
        **dict.fromkeys(
            (
                "uasc", "former uasc", "formerly uasc", "unaccompanied asylum seeking child",
                "unaccompanied asylum seeking child uasc", "former unaccompanied asylum seeking child",
            ),
            True,
        ),
        **dict.fromkeys(("not uasc", "none"), False),
    },
}  # fmt: skip
"""What a column's own words mean, before what they would mean in any column."""


def read_yes_no(column: str, text: str) -> YesNo:
    """True, False, None for blank or "unknown", or ``UNREADABLE``."""
    if is_blank(text):
        return None
    if explain_broken(text):
        return UNREADABLE
    bare = re.sub(r"^(\d)\.0$", r"\1", squeeze(text))
    mark = MARK.match(bare)
    said = _yes_no_of(column, fold_phrase(without_mark(bare)))
    # "1 - Yes" and "Y - Yes" must agree with their mark; "a) Yes" is only a place in a list, and 0 marks both
    # ends of one: "0 - Unsuitable" stands on its words.
    if not mark or said in (None, UNREADABLE) or mark[1] == "0":
        return said
    marked = _yes_no_of(column, mark[1].casefold())
    return said if marked in (None, UNREADABLE, said) else UNREADABLE


def _yes_no_of(column: str, phrase: str) -> YesNo:
    own = _OWN_WORDS.get(column, {})
    return own[phrase] if phrase in own else _YES_OR_NO.get(phrase, UNREADABLE)
