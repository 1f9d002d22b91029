"""Many unattended nights of the sample council, and what their readers had: figures, and what must never be."""

import datetime as dt
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.council import Council, Mail
from support.unequal_teams import Spoil, write_list

from monitor.config.settings import shipped
from monitor.gate.verdict import NotBelieved
from monitor.messages.shown import shown_id, shown_title
from monitor.rulebook.rule_folders import load_rulebook
from monitor.workdays import LONDON, NEVER_CLOSED

EXAMPLE = Path(__file__).parent.parent.parent / "config.example.toml"
LEADS = {f"lead.{each}@example.gov.uk": f"Leaving Care {each.title()}" for each in ("north", "south", "east")}
"""Leads who are nothing else; the fourth is also the manager of the first."""
AS_NEW = r"(?!, (no longer|more serious|which keeps))(?=[,;:.(]|$| since| again| new since)"
"""What may follow a title of which something is said to be new."""
OPEN = """
    SELECT person_id, id, rule, severity, opened_on FROM flag WHERE resolved_on IS NULL AND severity <> 'data'
    AND (quarantined_on IS NULL OR released_on IS NOT NULL)
"""


@dataclass(frozen=True)
class OpenFlag:
    """A flag that stands on a night, as the store has it."""

    flag_id: int
    rule: str
    severity: str
    opened_on: dt.date


@dataclass
class Story:
    """Nights at half past two and delivery at eight, every day, weekends and bank holidays too.

    ``faults``: what is wrong with the list on a night, so many days after the first.
    """

    council: Council
    people: int
    first: dt.date
    faults: Mapping[int, Spoil] = field(default_factory=dict)
    sent: list[tuple[dt.date, Mail]] = field(default_factory=list)
    """Each message with the day it went."""
    team_of: dict[str, dict[str, str]] = field(default_factory=dict)
    open_on: dict[dt.date, dict[str, list[OpenFlag]]] = field(default_factory=dict)
    """Everyone's flags on each night."""
    without: dict[dt.date, list[Mail]] = field(default_factory=dict)
    """What would have gone on the day of a fault, had there been none."""

    def __post_init__(self) -> None:
        text = EXAMPLE.read_text(encoding="utf-8")
        text = re.sub(r"^data_folder = .*$", 'data_folder = "data"', text, flags=re.MULTILINE)
        own = 'kind = "annex-a-list-9"\npath = "list-9.csv"'
        text = re.sub(r'^kind = "sample".*\npeople = .*\nseed = .*$', own, text, count=1, flags=re.MULTILINE)
        text = re.sub(r"^people = \d+", f"people = {self.people}", text, flags=re.MULTILINE)
        text = text.replace("workbooks = true", "workbooks = false")
        text = text.replace("every_night = true", "every_night = false")  # of the report, which nobody reads here
        text = text.replace('manager = "manager@example.gov.uk"', 'manager = "lead.west@example.gov.uk"', 1)
        text = text.replace('# restricted = "restricted.txt"', 'restricted = "restricted.txt"')
        self.council.config_path.write_text(text, encoding="utf-8")
        self.restricted = {"0000245", "0000335", "0002945"}
        (self.council.folder / "restricted.txt").write_text("\n".join(sorted(self.restricted)), encoding="utf-8")
        self.rules = load_rulebook((shipped("rules"),), {}).by_id

    def live(self, nights: Iterable[int]) -> None:
        """So many days after the first each."""
        for n in nights:
            day = self.first + dt.timedelta(n)
            if n in self.faults:
                self.without[day] = self._live_without(day)
            self.sent += [(day, mail) for mail in _live_night(self.council, day, self.people, self.faults.get(n))]
            teams = self.council.rows("SELECT person_id, team FROM person")
            self.team_of[day.isoformat()] = {str(person): str(team) for person, team in teams}
            self.open_on[day] = self._find_open()

    def _live_without(self, day: dt.date) -> list[Mail]:
        """The same night and day in a copy of the council, with nothing wrong."""
        folder = self.council.folder.parent / "without"
        folder.mkdir()
        try:
            return _live_night(self.council.copy_to(folder), day, self.people, None)
        finally:
            shutil.rmtree(folder)

    def _find_open(self) -> dict[str, list[OpenFlag]]:
        found: defaultdict[str, list[OpenFlag]] = defaultdict(list)
        for person, flag_id, rule, severity, opened_on in self.council.rows(OPEN):
            opened = dt.date.fromisoformat(str(opened_on))
            found[str(person)].append(OpenFlag(int(str(flag_id)), str(rule), str(severity), opened))
        return found

    # What must never be

    def days_with_two(self) -> list[tuple[str, dt.date]]:
        """Addresses that had more than one message on one day."""
        counts = Counter((mail.to, day) for day, mail in self.sent)
        return [key for key, number in counts.items() if number > 1]

    def days_off(self) -> list[dt.date]:
        """Days that are no working day in England and on which something went."""
        return sorted({day for day, _ in self.sent if not NEVER_CLOSED.includes(day)})

    def told_new_twice(self) -> list[tuple[str, str, str]]:
        """Who was told twice that a flag is new: address, young person and rule, by the words that were read."""
        spells = defaultdict(list)
        for flag_id, person, rule, opened, resolved in self.council.rows(
            "SELECT id, person_id, rule, opened_on, resolved_on FROM flag WHERE severity <> 'data'"
        ):
            spells[str(person)].append((flag_id, str(rule), str(opened), str(resolved or "9999")))
        told: Counter[tuple[str, object]] = Counter()
        names: dict[tuple[str, object], tuple[str, str, str]] = {}
        for _, mail in self.sent:
            as_at = _as_at(mail).isoformat()
            for person, words in _news(mail):
                for flag_id, rule, opened, resolved in spells[person]:
                    title = re.escape(shown_title(self.rules, rule) or "-")
                    if opened <= as_at < resolved and re.search(rf"(?i)\b{title}{AS_NEW}", words):
                        told[mail.to, flag_id] += 1
                        names[mail.to, flag_id] = (mail.to, person, rule)
        return [names[key] for key, number in told.items() if number > 1]

    def strangers(self) -> list[tuple[str, str]]:
        """Ids that a lead read of somebody else's team, or who is on the restricted list."""
        found = []
        for _, mail in self.sent:
            if mail.to not in LEADS:
                continue
            teams = self.team_of[_as_at(mail).isoformat()]
            for person in set(re.findall(r"\b\d{7}\b", mail.text + mail.html)):
                if teams.get(person) != LEADS[mail.to] or person in self.restricted:
                    found.append((mail.to, person))
        return found

    def lost(self) -> list[tuple[str, str]]:
        """Who has a flag, open or held, older than the last delivery, of which nobody has heard, and its rule.

        Of two that a message shows alike, one is told; one that carries another on has been told with it.
        """
        last = max(_as_at(mail) for _, mail in self.sent)
        told = {str(person): set[str]() for (person,) in self.council.rows("SELECT person_id FROM person")}
        for person, rule in self.council.rows("""
            SELECT DISTINCT person_id, rule FROM flag JOIN message_flag ON flag_id = flag.id
            JOIN message ON message.id = message_id WHERE accepted_at IS NOT NULL AND resolved_on IS NULL
        """):
            told[str(person)].add(shown_id(self.rules, str(rule)))
        standing = self.council.rows(f"""
            WITH RECURSIVE heard AS (
                SELECT flag_id FROM message_flag JOIN message ON message.id = message_id WHERE accepted_at IS NOT NULL
                UNION SELECT flag.id FROM flag JOIN heard ON flag.continues_flag_id = heard.flag_id
            )
            SELECT person_id, rule FROM flag
            WHERE id NOT IN (SELECT flag_id FROM heard)
                AND resolved_on IS NULL AND severity <> 'data' AND opened_on <= '{last}'
                AND (quarantined_on IS NULL OR released_on <= '{last}')
                AND (SELECT count(*) FROM flag AS other WHERE other.person_id = flag.person_id
                     AND other.rule = flag.rule AND other.opened_on > date('{last}', '-30 days')) < 3
        """)
        found = ((str(person), str(rule)) for person, rule in standing)
        return [(person, rule) for person, rule in found if shown_id(self.rules, rule) not in told[person]]

    def told_twice_of_a_step(self) -> list[tuple[object, ...]]:
        return self.council.rows("""
            SELECT escalation_id, count(*) FROM message_escalation JOIN message ON message.id = message_id
            WHERE accepted_at IS NOT NULL GROUP BY escalation_id HAVING count(*) > 1
        """)


def _live_night(council: Council, day: dt.date, people: int, spoil: Spoil | None) -> list[Mail]:
    """What goes on that day."""
    before = Counter((mail.to, mail.subject) for mail in council.mail())
    write_list(council.folder / "list-9.csv", people=people, as_at=day, spoil=spoil)
    council.clock = _at(day - dt.timedelta(1), 2, 30)
    with suppress(NotBelieved):
        council.night(day, unattended=True)
    council.deliver(_at(day, 8, 0))
    after = council.mail()
    return [mail for mail in after if not _take(before, (mail.to, mail.subject))]


def _take(counts: Counter[tuple[str, str]], key: tuple[str, str]) -> bool:
    """Whether there is one more of these, which is then taken."""
    counts[key] -= 1
    return counts[key] >= 0


def _at(day: dt.date, hour: int, minute: int) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON).astimezone(dt.UTC)


def _as_at(mail: Mail) -> dt.date:
    return dt.datetime.strptime(mail.subject.rsplit(" - ", 1)[1], "%d %B %Y").replace(tzinfo=dt.UTC).date()


def _news(mail: Mail) -> list[tuple[str, str]]:
    """The young people of whom something is said to be new, each with the words: on a card, or in a line."""
    own = mail.text.split("\nLeaving Care ")[-1]
    cards = re.findall(r"^\d+\. (?:Ring|Act|Find) .*?(?=\n\n|\Z)", own, flags=re.MULTILINE | re.DOTALL)
    listed = re.findall(r"^(?:Also new|New)\n(.*?)(?=\n\n|\Z)", own, flags=re.MULTILINE | re.DOTALL)
    blocks = [card.split("Also:")[0] for card in cards if not re.search(r"more\s+serious\s+than|waiver\s+has", card)]
    blocks += [block for lines in listed for block in re.split(r"^- ", lines, flags=re.MULTILINE)[1:]]
    return [(found[0], " ".join(block.split())) for block in blocks if (found := re.search(r"\b\d{4,7}\b", block))]
