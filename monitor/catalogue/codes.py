"""What councils write in a code cell, read as the code it means; whatever could mean two things is unreadable.

Where a code and its description disagree, the cell is unreadable.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from monitor.catalogue.accommodation import NOT_APPLICABLE, read_accommodation
from monitor.catalogue.broken_cells import explain_broken
from monitor.catalogue.columns import BY_NAME, ELIGIBILITY
from monitor.catalogue.phrases import (
    BLANK_PHRASES,
    LIST_MARK,
    MARK,
    UNREADABLE,
    Code,
    YesNo,
    fold_phrase,
    is_blank,
    label_words,
    read_in_parts,
    says_nothing,
    split_token,
    squeeze,
    without_mark,
)

LABELS: Mapping[str, frozenset[str]] = {
    "eligibility": label_words("eligibility", "other"),
    "in_touch": label_words("in", "touch", "la", "with"),
    "activity": label_words("activity", "main", "eet"),
    "uasc": label_words("uasc"),
    "disability": label_words("disability", "disabled"),
    "accommodation_suitable": label_words("accommodation", "suitability", "suitable"),
}
"""What may stand before a cell's own words because it is the name of the column, or of a part of it."""


def read_code(column: str, text: str) -> Code:
    """Return the code that ``text`` means in a column of codes; None for blank."""
    if column == "accommodation":
        return read_accommodation(text).code
    label = LABELS.get(column, frozenset())
    return read_in_parts(text, label, lambda part: _read_whole(column, part), lambda read: read, UNREADABLE)


def _read_whole(column: str, text: str) -> Code:
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
    "n": "no current eligibility", "non eligible": "no current eligibility",
    "no longer eligible": "no current eligibility",
    "relevant children": "relevant", "eligible children": "eligible", "former relevant children": "former relevant",
    "qualifying children": "qualifying", "fr child": "former relevant",
    # Nobody under 16 is in any category. If it stands for someone who has since turned 18 it is out of date,
    # and "no current eligibility" is what opens the flag that asks.
    "other under 16": "no current eligibility", "under 16": "no current eligibility",
}  # fmt: skip


def _read_eligibility(text: str) -> Code:
    # "Qualifying (Former Relevant)" names two categories with different duties: it is not in the table, so it
    # is unreadable and someone is asked, rather than the adviser and plan rules being guessed on or off.
    listed = LIST_MARK.match(text)
    token, rest = (None, text[listed.end() :]) if listed else split_token(text, r"(?i:fr|r|q|e|n)")
    said = _eligibility_of(fold_phrase(rest)) if rest else None
    if token is None:
        return said
    recorded = _ELIGIBILITY[token.code.casefold()]
    return recorded if said in (None, recorded) else UNREADABLE


def _eligibility_of(phrase: str) -> Code:
    if says_nothing(phrase):
        return None
    for category, meaning in ELIGIBILITY.items():
        if phrase == fold_phrase(meaning):
            return category
    # "Care Leaver - Former Relevant (18-20)": neither the group nor the age changes the category.
    bare = re.sub(
        r"^(care leavers?|leaving care) |( |^)(aged |age )?\d\d( (to |or )?\d\d)?( plus| years?)?$", "", phrase
    )
    if not bare:
        return None
    return _ELIGIBILITY.get(phrase) or _ELIGIBILITY.get(bare) or UNREADABLE


# In touch

_WHO = r"((the )?(young person|yp|care leaver|child) )?"
_IN_TOUCH = {
    "YES": r"yes|y|in touch|(yes )?(still )?in touch( with (la|local authority|authority|young person|yp))?|1|01",
    "NO": r"no|n|(no )?(not|no longer) in touch|(no )?out of touch|(no )?lost touch|(no )?no contact|2|02",
    "DIED": rf"died|deceased|dead|death|(yes |no )?{_WHO}(has |is )?(died|deceased)",
    "REFU": (
        rf"refu|(no )?{_WHO}(has |is )?(refus(es|ed|ing|al)|declin(es|ed|ing))( of)?( to)?( all| any| further)?"
        r"( have| be in)?( contact)?( with (us|la|local authority|personal adviser|pa))?"
    ),
    "NREQ": (
        rf"nreq|(no )?{_WHO}(no longer|does not|do not|doesnt) (requir(es?|ing)|needs?|needing|wants?|wish(es)?)"
        r"( any| further| leaving care| childrens| childrens social care| social care| our)*"
        r"( services?| support| contact)?"
        r"|(no )?(services? |support )?(is |are )?(no longer|not) (required|needed|wanted)"
        r"( by (the )?(young person|yp))?"
    ),
    "RHOM": rf"rhom|{_WHO}(has )?return(ed|ing|s)?( back)? home",
}
_MORE = {
    "DIED": "after leaving care but before prior to their his her the 16th 17th 18th 19th 20th 21st 25th birthday",
    "RHOM": (
        "return returned returning returns back home to live with a an the their his her parent parents family or and "
        "someone somebody anyone person people carer who has have having parental responsibility pr for at least "
        "continuous period of 6 six month months more plus over exceeding minimum young yp care leaver child been"
    ),
}
"""Words with which the return's own description of a code goes on."""
_RETURNED = re.compile(
    rf"(no |yes )?{_WHO}(has )?return(ed|ing|s)? (back )?((home )?to|home)\b.*\b(parents?|pr|responsibility)\b.*"
)


def _read_in_touch(text: str) -> Code:
    token, rest = split_token(text, r"(?i:yes|no|died|refu|nreq|rhom)")
    # "No - not in touch" and "No longer in touch" are phrases of their own, not a code with a remark.
    whole = _in_touch_of(fold_phrase(re.sub(r"^\d{1,2}\s+(?=[A-Za-z])", "", without_mark(text))))
    if token is None or whole is not UNREADABLE:
        return whole
    said = _in_touch_of(fold_phrase(rest))
    recorded = token.code.upper()
    if said is UNREADABLE:
        return recorded if token.delimited and recorded not in {"YES", "NO"} else UNREADABLE
    return recorded if said in (None, recorded) else UNREADABLE


def _in_touch_of(phrase: str) -> Code:
    if says_nothing(phrase):
        return None
    for code, pattern in _IN_TOUCH.items():
        if phrase == fold_phrase(BY_NAME["in_touch"].codes[code]) or re.fullmatch(pattern, phrase):
            return code
    began = re.match(_IN_TOUCH["DIED"], phrase)
    if began and set(phrase[began.end() :].split()) <= set(_MORE["DIED"].split()):
        return "DIED"
    if _RETURNED.fullmatch(phrase) and set(phrase.split()) - {"no", "yes"} <= set(_MORE["RHOM"].split()):
        return "RHOM"
    return _plain_with_remark(*phrase.split())


def _plain_with_remark(first: str = "", *remark: str) -> Code:
    """ "01 - Yes, resident in the UK": a plain yes or no with a remark that speaks of nothing else."""
    if first == "yes" and 0 < len(remark) <= 8 and not set(remark) & _REMARKS_THAT_CHANGE_IT:
        return "YES"
    # "No contact recorded", "No worker": a no is only one where what follows says where the young person is.
    return "NO" if first == "no" and remark and set(remark) <= _WHERE else UNREADABLE


_WHERE = frozenset(
    {
        "resident", "residing", "residence", "living", "lives", "in", "the", "uk", "england", "gone", "abroad",
        "overseas", "outside", "out", "of", "whereabouts", "address", "location", "not", "known",
        "unknown", "is", "are", "and", "or",
        "moved", "away", "country", "area", "deported", "missing",
    }
)  # fmt: skip
_REMARKS_THAT_CHANGE_IT = frozenset(
    {
        "no", "not", "longer", "refuses", "refused", "refusing", "refu", "nreq", "rhom", "died",
        "deceased", "dead", "death", "returned", "return", "home", "but", "requires", "required",
        "require", "needs", "needed", "need", "wants", "want", "never", "unless", "until", "was", "lost", "out",
        "attempted", "attempts", "trying", "unable", "recorded", "unknown", "declined", "declines",
    }
)  # fmt: skip


# Activity

_ACTIVITY_WORDS = frozenset(
    {
        "young", "person", "engaged", "in", "full", "part", "time", "higher", "education", "for",
        "example", "e", "g", "i", "studies", "beyond", "a", "level", "levels", "other", "than",
        "training", "or", "employment", "and", "an", "apprenticeship", "apprenticeships", "not", "neet",
        "due", "to", "because", "of", "illness", "disability", "pregnancy", "parenting", "circumstances",
        "reasons", "reason", "before", "2022", "further", "employed", "work", "working", "pregnant", "parent", "ill",
        "disabled", "apprentice",
    }
)  # fmt: skip


def _read_activity(bare: str) -> Code:
    if re.fullmatch(r"0(\.0)?", bare):
        return NOT_APPLICABLE
    if says_nothing(fold_phrase(bare)):
        return None
    token, rest = split_token(bare, r"[FPGfpg][1-6]")
    phrase = fold_phrase(rest)
    described = _activity_of(phrase) if phrase else None
    if token is None:
        return described if described is not None else UNREADABLE
    code = token.code.upper()
    if code not in BY_NAME["activity"].codes:
        return UNREADABLE
    if phrase in _NO_REASON and code.startswith("G"):
        return code
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
    # Without a reason it is "other": the one that asks somebody to look.
    if phrase in _NO_REASON or re.fullmatch(rf"({'|'.join(_NO_REASON)}) other", phrase):
        return "G5"
    if re.search(r"not in education employment (or|and) training|\bneet\b", phrase):
        return _only(code for code, pattern in _REASONS if re.search(pattern, phrase))
    modes = [letter for letter, mode in (("F", "full time"), ("P", "part time")) if mode in phrase]
    subject = _subject_of(phrase)
    return modes[0] + subject if len(modes) == 1 and isinstance(subject, str) else UNREADABLE


_NO_REASON = (
    "neet", "not in education employment or training", "not in education employment and training",
    "young person not in education employment or training", "not in education employment or training neet",
)  # fmt: skip
_REASONS = (
    ("G4", r"illness|disability|\bill\b|disabled"),
    ("G6", r"pregnan|parent"),
    ("G5", r"other (circumstances|reasons?)"),
)


def _subject_of(phrase: str) -> Code:
    left = re.sub(r"(not|other than)( an)? apprenticeships?", "", phrase)
    subjects = []
    if re.search(r"(education )?other than higher( education)?|other education|further education", left):
        subjects.append("2")
    elif "higher education" in left:
        subjects.append("1")
    if "apprentice" in left:
        subjects.append("4")
    if re.search(r"training|employment|employed|\bwork", left):
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
    return None if says_nothing(phrase) else UNREADABLE


# Yes and no

_YES_OR_NO: Mapping[str, YesNo] = {
    **dict.fromkeys(("yes", "y", "true", "t", "1"), True),
    **dict.fromkeys(("no", "n", "false", "f", "0"), False),
    **dict.fromkeys(BLANK_PHRASES),
}
_OWN_WORDS: Mapping[str, Mapping[str, YesNo]] = {
    # The return's digits: 1 suitable, 2 unsuitable, 0 not applicable.
    "accommodation_suitable": {**dict.fromkeys(("0", "not applicable")), "2": False},
    "disability": {"dda": True, "none": False},
    "uasc": {"none": False},
}
"""What a column's own words mean, before what they would mean in any column."""

_DISABILITIES = frozenset(
    {
        "mob", "hand", "hands", "pc", "inc", "comm", "ld", "hear", "vis", "beh", "con", "aut", "dda", "mobility",
        "incontinence", "communication", "learning", "hearing", "vision", "visual", "sight", "behaviour", "behavioural",
        "consciousness", "autism", "autistic", "asperger", "aspergers", "asd", "impairment", "impaired",
        "physical", "disabled", "disability", "disabilities",
    }
)  # fmt: skip
"""Words of the return's own kinds of disability, with its codes for them."""
_BESIDE_DISABILITIES = frozenset(
    {
        "syndrome", "spectrum", "disorder", "diagnosed", "with", "or", "and", "under", "other", "has", "a", "is",
        "difficulty", "difficulties", "of", "severe", "moderate", "mild", "multiple", "yes", "function",
    }
)  # fmt: skip

_SUITABLE = re.compile(
    r"(?:the )?(?:young persons? )?(?:accommodation |placement )?(?:(?:is|has been) )?(not )?"
    r"(?:(?:considered|deemed|judged|assessed)(?: as)?(?: to be)? )?(not |un)?suitable(?: accommodation)?"
)
_UASC = re.compile(
    r"(not (?:an? )?|non |never )?(?:an? )?(?:(?:is|was|former|formerly|currently|current)(?: an?)? )?"
    r"(?:uasc|unaccompanied asylum seeking child(?:ren)?)(?: uasc)?"
)


def read_yes_no(column: str, text: str) -> YesNo:
    """True, False, None for blank or "unknown", or ``UNREADABLE``."""
    label = LABELS.get(column, frozenset())
    return read_in_parts(text, label, lambda part: _read_whole_yes_no(column, part), lambda read: read, UNREADABLE)


def _read_whole_yes_no(column: str, text: str) -> YesNo:
    if is_blank(text):
        return None
    if explain_broken(text):
        return UNREADABLE
    bare = re.sub(r"^(\d)\.0$", r"\1", squeeze(text))
    after = re.fullmatch(r"(.*\S)\s*[\[(]\s*([YN012])\s*[\])]", bare, re.IGNORECASE)
    mark = MARK.match(bare)
    said = _yes_no_of(column, fold_phrase(after[1] if after else without_mark(bare)))
    marked = after[2] if after else mark[1] if mark else "0"
    # "1 - Yes" and "Y - Yes" must agree with their mark; "a) Yes" is only a place in a list, and 0 marks both
    # ends of one: "0 - Unsuitable" stands on its words.
    if said in (None, UNREADABLE) or marked == "0":
        return said
    return said if _yes_no_of(column, marked.casefold()) in (None, UNREADABLE, said) else UNREADABLE


def _yes_no_of(column: str, phrase: str) -> YesNo:
    own = _OWN_WORDS.get(column, {})
    if phrase in own:
        return own[phrase]
    if phrase in _YES_OR_NO:
        return _YES_OR_NO[phrase]
    readers: dict[str, Callable[[str], YesNo]] = {
        "disability": _read_disability,
        "accommodation_suitable": _read_suitable,
        "uasc": _read_uasc,
    }
    if column not in readers:
        return UNREADABLE
    first, _, rest = phrase.partition(" ")
    said = readers[column](phrase)
    if said is not UNREADABLE or first not in ("yes", "no") or not rest:
        return said
    # "No - not UASC", "Yes - learning disability": a plain answer with words that say it again.
    again = readers[column](rest)
    return again if again is (first == "yes") else UNREADABLE


def _read_disability(phrase: str) -> YesNo:
    if says_nothing(phrase) or phrase in ("refu", "refused", "refused to say", "prefer not to say"):
        return None
    if re.fullmatch(r"(no|not|non)( known)? (a )?(disability|disabilities|disabled|disability or impairment)", phrase):
        return False
    words = set(re.sub(r" no other$", "", phrase.replace("personal care", "pc")).split())
    return True if words & _DISABILITIES and words <= _DISABILITIES | _BESIDE_DISABILITIES else UNREADABLE


def _read_suitable(phrase: str) -> YesNo:
    if says_nothing(phrase):
        return None
    found = _SUITABLE.fullmatch(phrase)
    return UNREADABLE if not found or (found[1] and found[2]) else not (found[1] or found[2])


def _read_uasc(phrase: str) -> YesNo:
    if says_nothing(phrase):
        return None
    found = _UASC.fullmatch(phrase)
    return not found[1] if found else UNREADABLE
