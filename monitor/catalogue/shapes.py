"""What of a cell may be shown: a text made of known words and codes as it is, any other only by its shape.

Whose name it is cannot be told from how a word is written, so a word is shown because it is known, never because it
looks harmless.
"""

import re
import unicodedata
from functools import cache

from monitor.catalogue.columns import COLUMNS, IGNORED_HEADINGS, PERSON_ID_HEADINGS, SYSTEM_ID_HEADINGS
from monitor.catalogue.phrases import BLANK_PHRASES, squeeze

LONGEST_SHOWN = 400
LONGEST_SHAPE = 40
SHORTEST_SLIP = 7

_PERSONAL = re.compile(
    r"\d{4,}"
    r"|\d{1,4}[-/. ][A-Za-z0-9]{1,9}[-/. ]\d{2,4}"
    r"|\b[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}\b"
    r"|\b(street|road|avenue|lane)\b|^\d+[a-z]?,? .*\b(close|drive|court|way|house|flat|place)\b|\b(flat|room) \d"
    r"|@|\b(mr|mrs|ms|miss|mx|dr)\b",
    re.IGNORECASE,
)
"""An id, a date, a postcode, an address, a title."""

_NAMES_TOO = frozenset(
    {
        "best", "case", "chair", "church", "day", "gap", "hall", "house", "long", "north", "page", "parent", "park",
        "power", "read", "self", "short", "small", "south", "stage", "step", "ward", "west", "wood", "young",
    }
)  # fmt: skip
"""Words of the service that are somebody's name where nothing but a letter stands beside them."""


def showable(text: str) -> str:
    """Return ``text`` if it can only be a code or a phrase of known words, else ""."""
    bare = squeeze(text)
    if len(bare) > LONGEST_SHOWN or _PERSONAL.search(bare):
        return ""
    words = re.findall(r"[^\W_]+", bare.casefold().replace("'", "").replace("\u2019", ""))
    if set(words) & _NAMES_TOO and all(word in _NAMES_TOO or len(word) == 1 for word in words):
        return ""
    is_code = bool(re.fullmatch(r"[A-Z]{2}", bare))
    return bare if is_code or all(_is_known(word) for word in words) else ""


def show(text: str) -> str:
    """Return a text that can hold no name as it is, any other by its shape: "Aaaa Aaaaa"."""
    return showable(text) or shape_of(text)


def shape_of(text: str) -> str:
    """Return a text with A, a and 9 for its letters and digits, cut after 40 characters."""
    shape = "".join(map(_shape, squeeze(text)))
    return shape if len(shape) <= LONGEST_SHAPE else f"{shape[:LONGEST_SHAPE]}..."


def _shape(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Lu", "Lt"):
        return "A"
    if kind[0] in "LM":
        return "a"
    if kind[0] == "N":
        return "9"
    return character if character in " -/.,:;()[]'&+" else "?"


def _is_known(word: str) -> bool:
    """A word of the catalogue or of the service, a number, a letter, or a short code of letters with a digit."""
    if word.isdigit() or len(word) == 1:
        return True
    if word in _words() or (len(word) <= 3 and any(character.isdigit() for character in word)):
        return True
    # A slip of the pen in a long word: a name is hardly so near to one.
    return len(word) >= SHORTEST_SLIP and not _without_one(word).isdisjoint(_slips())


@cache
def _slips() -> frozenset[str]:
    """The long words, and each of them with one letter left out."""
    long = [word for word in _words() if len(word) >= SHORTEST_SLIP]
    return frozenset(long).union(*map(_without_one, long))


def _without_one(word: str) -> set[str]:
    """The word, and the word with one letter left out."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


@cache
def _words() -> frozenset[str]:
    texts = [_OF_THE_SERVICE, *BLANK_PHRASES, *IGNORED_HEADINGS, *PERSON_ID_HEADINGS, *SYSTEM_ID_HEADINGS]
    for column in COLUMNS:
        texts += [column.name, column.meaning, *column.headings, *column.other_headings]
        texts += [word for pair in column.codes.items() for word in pair]
    return frozenset(re.findall(r"[a-z0-9]+", " ".join(texts).casefold()))


_OF_THE_SERVICE = """
16th 17th 18th 19th 20th 21st 25th a able about above abroad absent accepted access accom accommodated accommodation
accomodation action active activity address adhd adopted adoption adult adulthood adults advice adviser adviserless
advisor after age aged agency agreed all allocated allocation also alternative although always and another answer
answered any anyone apart apartment apprentice apprentices apprenticeship apprenticeships approved area army arranged
arrangement arrangements arrested asd ask asked asperger aspergers assault assessed assessment asset assigned
assistance association associations asylum at attached attempted attending aunt aut authority autism autistic
available awaited awaiting away baby back bail bandb barracks based basis bed bedroom bedsit been before beh behaviour
behavioural being below benefit benefits best between beyond birth birthday blank blind block bnb board boarding boat
body both boundary boyfriend boyfriends breakdown breakfast breast bridging broken brother brothers brought building
but by camp campus cannot caravan care career careers carefirst carer carers caring cas case cases casual category
cause census centre certain chair change changed charity check child childcare children childrens choice choices
church cin circumstances city cl cla claim claiming client clinic close closed closure club cohort college combined
combines come coming comm commission communication community company complete completed complex con concern condition
conditions confirmed connected connection consciousness considered contact contacted contacts contained continue
continues continuing continuous contract convicted cooperative couch council counsellor country county couple course
court cousin cover crisis current currently custodial custody cwd daily data date dated day days dda dead deaf
deceased decision declined deemed delayed deported deposit designated detached details detained detention diagnosed
did died different difficult difficulties difficulty direct disabilities disability disabled disengaged disorder
distance district do does doesnt doing domestic done dont door doubt dropped due during duty each earlier early ect
education educational eet effective eg ehcp either elected eligibility eligible else emerg emergency employed employee
employer employment end ended engage engaged engagement engages engaging england enquiry enrolled entered entry
epilepsy equipment error estabishment establishment etc ete evicted eviction ex exam except exception exclude excluded
exemption existing expected extended extension external facilities failed false family far father fathers female few
final find first fixed flat flats flatshare floating fob food for force forces form formal former formerly forms
foster fostered fostering found foyer foyers fr friend friends from ft full function further future gap gcse general
girlfriend girlfriends given go going gone good government grandfather grandmother grandparent grandparents group
guardian guardianship guesthouse had half hall halls hand hands has have having hb head health hear hearing held help
her high higher him his historic hmo hmp hms hold holiday home homeless homelessness homeowner homes hospital
hospitalised hospitalized host hostel hostels hotel hotels hour hours house housed household housemate houses
houseshare housing how hub human husband id identity ie if illness immediately immigration impaired impairment in
inactive inc includes including income incomplete incontinence ind indep independant independence independent
independently individual info information inpatient inside institution insufficient intensive interim internship
interview into invalid involves ireland is island isle issue issues it item its job jobs joined joint judged just
juvenile keep keeping key kin kinship know known la lac landlord language laptop large last late later law lc lcs ld
lead learner learning least leave leaver leavers leaves leaving left legal less let letting level licence life light
like likely limited list listed live lived lives livin living loan local locality location locations lodg lodger
lodging lodgings long longer look looked looking loss lost lot low made main mainstream maintained male managed
manager mapped marriage married maternity mature maybe medical meet meeting member mental met might mild military
minimum minor missing mob mobile mobility moderate monitoring month monthly months more mortgage most motel mother
mothers move moved moving mph multiple multivalue mum must name named nan nass national navy near need needed needing
needs neet never new next nfa nhs night no nobody nobt non none nor normal north not note nothing notice notified now
number nursery nursing obtained occasional occupancy occupied occupier of off offender offenders offer offered offers
office officer ok old on once one only onsite open opportunities order ordinary organised other others our out outcome
outof outreach outside outstanding over overseas own owned owner pa parent parental parenting parents part partly
partner partners party past pathway patient pay pending people per percent period perm permanent person personal
persons phone physical place placed placement placements plan planned plans plus point police policy poor possible
post potential pr practical pre preferred pregnancy pregnant preparing present previous previously primary principal
prior prison prisoner private privately probation problem process professional profile programme project property
protected provide provided provider providers provides provision psychiatric pt public purpose put qualifying quality
query question quit raf range rather rc reached reaching read ready reason reasons received recent recently recorded
records recovery reduced referral referred refu refuge refugee refuges refusal refuse refused refuses refusing regard
regional registered regular rehab rehabilitation relation relationship relative relatives release released relevant
religious relocated remain remained remaining remains remand remanded removed rent rental rented renting repeat
replaced report request require required requires requiring resi reside residence resident residential resides
residing resit resource respite response responsibility responsible rest resting result retained return returned
returning returns review reviewed revoked right risk road role room rooms rough rtb s safe safety said same scheme
school schools scotland search seasonal second secondary section secure see seeker seeking seen self semi
semiindependent sen send sensory sentence sentenced separate served service services serving severe share shared
sharing shelter sheltered shelters short should sick sickness side sight similar since single sister sisters site
situation six sixth skills sleep sleeper sleeping sleeps small so social sofa sofas sofasurfing some someone son south
sp space special specialist specified spectrum speech spo sponsor spouse staff stage stand star start started starting
state stated status stay stayed staying step stepfather stepmother still stop stopped street student students studies
study studying subject subsequent such suitability suitable suited sup supervised supervision supp support supported
supporting supportive surfing suspended syndrome system taken talk tba tbc tbd team temp temporarily temporary
tenancies tenancy tenant tenure term terminated than that the their them then therapeutic therapy there they third
this those though three through time times to together too total touch trailer trainee trainees traineeship trainer
training transfer transferred transit transition transitional travel traveling traveller travelling trial true trust
turned twenty twice two type types uasc uc uk unable unaccompanied unborn uncertain uncle unclear under undergoing
unemployed uni unit university unknown unless unlikely unmapped unmet unpaid unsafe unsettled unstable unsuitable
unsure until up upon use used usual usually vacant value variable various vehicle very via vis vision visit visited
visiting visual voluntary volunteer volunteering wait waiting wales want wants ward warned was week weekly weeks
welfare well went were west what when where whereabouts which while who whole whom why wife with within without
witness woman women work worker working works would wrong year years yes yet ymca yoi young youth yp zero
"""
"""Words of housing, contact, education, care and health, and the plain words between them; no name that is common."""
