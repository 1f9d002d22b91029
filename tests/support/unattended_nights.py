"""Many unattended nights of the sample council, and what their readers had: figures, and what must never be."""

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from support.council import Council, Mail

from monitor.config.settings import shipped
from monitor.messages.shown import shown_title
from monitor.rulebook.rule_folders import load_rulebook
from monitor.workdays import LONDON, NEVER_CLOSED

EXAMPLE = Path(__file__).parent.parent.parent / "config.example.toml"
OPENING_LINES = 3
"""What has changed since when, how many have something open, who is critical."""


@dataclass
class Story:
    """Nights at half past two and delivery at eight, every day, weekends and bank holidays too."""

    council: Council
    people: int
    first: dt.date
    sent: list[tuple[dt.date, Mail]] = field(default_factory=list)
    """Each message with the day it went."""
    team_of: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: int = 0

    def __post_init__(self) -> None:
        text = EXAMPLE.read_text(encoding="utf-8")
        text = re.sub(r"^data_folder = .*$", 'data_folder = "data"', text, flags=re.MULTILINE)
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
            self.council.clock = _at(day - dt.timedelta(1), 2, 30)
            self.council.night(day, unattended=True)
            teams = self.council.rows("SELECT person_id, team FROM person")
            self.team_of[day.isoformat()] = {str(person): str(team) for person, team in teams}
            self.council.deliver(_at(day, 8, 0))
            mail = self.council.mail()
            known = Counter((each.to, each.subject) for _, each in self.sent)
            for each in mail:
                if known[each.to, each.subject]:
                    known[each.to, each.subject] -= 1
                else:
                    self.sent.append((day, each))

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
                    title = shown_title(self.rules[rule])
                    if opened <= as_at < resolved and re.search(
                        rf"{re.escape(title)}( \((new|opened)|[.;\[]|$)", words
                    ):
                        told[mail.to, flag_id] += 1
                        names[mail.to, flag_id] = (mail.to, person, rule)
        return [names[key] for key, number in told.items() if number > 1]

    def strangers(self) -> list[tuple[str, str]]:
        """Ids that a lead read of somebody else's team, or who is on the restricted list."""
        leads = {f"lead.{each}@example.gov.uk": f"Leaving Care {each.title()}" for each in ("north", "south", "east")}
        found = []
        for _, mail in self.sent:
            if mail.to not in leads:
                continue
            teams = self.team_of[_as_at(mail).isoformat()]
            for person in set(re.findall(r"\b\d{7}\b", mail.text + mail.html)):
                if teams.get(person) != leads[mail.to] or person in self.restricted:
                    found.append((mail.to, person))
        return found

    def lost(self) -> list[tuple[object, ...]]:
        """Flags that stand, open or held, older than the last delivery, of which nobody has heard."""
        last = max(_as_at(mail) for _, mail in self.sent)
        return self.council.rows(f"""
            SELECT id, person_id, rule, opened_on FROM flag
            WHERE resolved_on IS NULL AND severity <> 'data' AND opened_on <= '{last}'
                AND (quarantined_on IS NULL OR released_on <= '{last}')
                AND id NOT IN (
                    SELECT flag_id FROM message_flag JOIN message ON message.id = message_id
                    WHERE accepted_at IS NOT NULL)
                AND (SELECT count(*) FROM flag AS other WHERE other.person_id = flag.person_id
                     AND other.rule = flag.rule AND other.opened_on > date('{last}', '-30 days')) < 3
        """)

    def told_twice_of_a_step(self) -> list[tuple[object, ...]]:
        return self.council.rows("""
            SELECT escalation_id, count(*) FROM message_escalation JOIN message ON message.id = message_id
            WHERE accepted_at IS NOT NULL GROUP BY escalation_id HAVING count(*) > 1
        """)

    # What they read

    def reading(self) -> list[tuple[str, int, int, int, int]]:
        """By lead and week: e-mails, lines, and rows of the text as wrapped.

        A line is what is said in one go of a young person, an adviser or a rule; the opening's are counted too.
        """
        counts: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
        for day, mail in self.sent:
            if mail.to.startswith("lead."):
                words = mail.text.split("Leaving care: Leaving Care")[-1]
                rows = [row for row in words.splitlines() if row.strip()]
                lines = OPENING_LINES + sum(row.startswith("- ") for row in rows)
                for n, number in enumerate((1, lines, len(rows))):
                    counts[mail.to, (day - self.first).days // 7][n] += number
        return [(to, week, *numbers) for (to, week), numbers in sorted(counts.items())]


def _at(day: dt.date, hour: int, minute: int) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON).astimezone(dt.UTC)


def _as_at(mail: Mail) -> dt.date:
    return dt.datetime.strptime(mail.subject.rsplit(" - ", 1)[1], "%d %B %Y").replace(tzinfo=dt.UTC).date()


def _news(mail: Mail) -> list[tuple[str, str]]:
    """The young people under New, Worse and Back again, each with what is said to be new about them."""
    parts = re.split(r"^(.+)\n-{3,}\n", mail.text, flags=re.MULTILINE)
    found = []
    for heading, words in zip(parts[1::2], parts[2::2], strict=True):
        if re.match(r"(New|Worse|Back again) \(", heading):
            for block in re.split(r"^- ", words, flags=re.MULTILINE)[1:]:
                said = " ".join(re.split(r"\n\S|Also open:", block)[0].split())
                found.append((said[:7], _without_what_is_known(said)))
    return found


def _without_what_is_known(said: str) -> str:
    """Of what a flag brings with it, only what is marked as new: the rest was told before and is said as context."""

    def keep(also: re.Match[str]) -> str:
        return " ".join(each for each in also[1].split("; ") if each.endswith("(new)"))

    said = re.sub(r"Also: ([^.]*)\.", keep, said)
    return re.sub(r"\(also ((?:[^()]|\([^()]*\))*)\)", keep, said)
