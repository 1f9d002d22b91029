"""A team's page: what it shows of the team's flags, and what is taken of the file and the e-mail that it makes."""

import datetime as dt
import json
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless, settled
from support.posix import is_private
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.errors import MonitorError, Problems
from monitor.flags.answer_file import AnswerLimits, AnswersSaved, save_answers
from monitor.flags.mailed_answers import NOT_OURS
from monitor.lists.answered_file import find_readers, read_answered
from monitor.night.context import Tools
from monitor.night.withdraw import WithdrawalRequest, withdraw_night
from monitor.store.events import Stamp

NORTH, ANALYST = "north@example.gov.uk", "analyst@example.gov.uk"
LAST = day(2)
HOSTILE = "</script><b onclick='x'>=cmd"
UNREADABLE = {"accommodation": "#MULTIVALUE"}
Change = Callable[[dict[str, Any]], None]


def a_night(*people: dict[str, str]) -> list[dict[str, str]]:
    return [*people, homeless("S1", team="South"), homeless("R-771"), *crowd(20)]


def a_council(folder: Path) -> Council:
    """Three nights: P2 is held on the second, and P1's address was not known on the first; R-771 is restricted."""
    (folder / "restricted.txt").write_text("R-771\n", encoding="utf-8")
    (folder / "shared").mkdir(mode=0o750)
    rules = few_rules(folder, "homeless", "birth-date-recorded", "known-address", "pa-allocated")
    settings = f'{rules}restricted = "restricted.txt"\ncase_url = "https://cms.example/{{person_id}}?a=1&b=2"\n'
    council = Council(folder, settings)
    config = council.config_path.read_text(encoding="utf-8")
    lists = 'lists_folder = "shared"\n[delivery]\nmarking = "OFFICIAL-SENSITIVE"'
    council.config_path.write_text(config.replace("workbooks = false", lists), encoding="utf-8")
    hostile = homeless("P3", adviser=HOSTILE)
    council.night(NIGHT, a_night(settled("P1", accommodation="R: Residence not known"), homeless("P2"), hostile))
    council.night(day(1), a_night(homeless("P1", adviser=""), homeless("P2") | UNREADABLE, hostile))
    council.night(LAST, a_night(homeless("P1", adviser=""), homeless("P2"), hostile))
    return council


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council for what changes nothing."""
    return a_council(tmp_path_factory.mktemp("known"))


@pytest.fixture
def council(known: Council, tmp_path: Path) -> Council:
    """The same council, for what changes it."""
    return known.copy_to(tmp_path)


@dataclass
class Seen(HTMLParser):
    """What a page holds, by the way a browser takes it apart."""

    text: str = ""
    flags: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._within.append(tag)
        if tag == "article":
            self.flags[(given["data-person"], given["data-rule"])] = given
        if given.get("class") == "person":
            self.rows.append(given)
        if tag == "a":
            self.links.append(given["href"])

    def handle_data(self, data: str) -> None:
        if self._within[-1:] not in (["script"], ["style"]):
            self.text += " " + data

    def handle_endtag(self, tag: str) -> None:
        self._within.append(f"/{tag}")


def a_page(council: Council, as_at: dt.date = LAST, name: str = "team-north.html") -> Path:
    return council.folder / "data" / "exceptions" / as_at.isoformat() / name


def look(path: Path) -> Seen:
    seen = Seen()
    seen.feed(path.read_text(encoding="utf-8"))
    seen.text = " ".join(seen.text.split())
    return seen


# What it shows.


def test_a_page_stands_beside_each_teams_workbook_and_holds_no_more_than_it(known: Council) -> None:
    night, shared = a_page(known).parent, known.folder / "shared" / LAST.isoformat()
    north, south = look(a_page(known)), look(a_page(known, name="team-south.html"))

    book = openpyxl.load_workbook(night / "team-north.xlsx")["Flags"]
    headings = [cell.value for cell in book[1]]
    keys = {row[headings.index("Key")] for row in book.iter_rows(min_row=2, values_only=True)}
    assert sorted(path.stem for path in night.glob("*.html")) == ["team-north", "team-south"]
    assert {given["data-key"] for given in north.flags.values()} == keys
    assert list(north.flags) == [("P1", "homeless"), ("P1", "pa-allocated"), ("P2", "homeless"), ("P3", "homeless")]
    assert list(south.flags) == [("S1", "homeless")]
    assert [row["data-ways"] for row in north.rows] == ["Nobody named", "", ""]
    assert "4 flags about 3 young people. 4 open, 0 held, 0 waived" in north.text
    for path in (*night.glob("*.html"), *shared.glob("*.html")):
        assert "R-771" not in path.read_text(encoding="utf-8")
    copies = {path.name: path for path in shared.iterdir()}
    assert {"team-north.html", "team-north.xlsx", "team-south.html"} <= copies.keys()
    assert copies["team-north.html"].read_bytes() == a_page(known).read_bytes()
    assert len({stat.S_IMODE(copy.stat().st_mode) for copy in copies.values()}) == 1
    assert is_private(a_page(known))


def test_opening_a_row_shows_why_what_to_do_what_would_clear_it_and_what_happened(council: Council) -> None:
    done = answer(council, "P3", "done")
    waived = {**answer(council, "P2", "waive until"), "answer_until": "2026-02-01", "answer_reason": "under-way",
              "answer_note": "Room agreed"}  # fmt: skip
    read(council, a_file(council, done, waived))
    council.night(day(3), a_night(homeless("P1", adviser=""), homeless("P2"), homeless("P3")))

    seen = look(a_page(council, day(3)))
    text = seen.text

    assert "Why Latest contact: 8 January 2026. What to do Make contact today, agree somewhere safe for tonight" in text
    assert "What would clear it Accommodation: for example U (" in text
    assert 'Said before answered "done" on 14/01/2026 by A Lead; record not yet updated' in text
    of_p1, of_others = text.split("What happened")[1:3], text.split("What happened")[2:]
    assert "13 January 2026: cleared by the record: Where the young person lives is not recorded" in of_p1[0]
    assert "12 January 2026: opened: No fixed abode 13 January" not in text
    steps = [
        "14 January 2026: waived until 1 February 2026: No fixed abode",
        "14 January 2026: answered “waive until” by A Lead: No fixed abode",
        "14 January 2026: released, could be checked again: No fixed abode",
        "13 January 2026: held, could not be checked: No fixed abode",
        "12 January 2026: opened: No fixed abode",
    ]
    assert all(step in " ".join(of_others) for step in steps)
    assert "Waived until 1 February 2026." in text
    assert "Room agreed" not in text  # no list of a team has a waiver's note
    assert seen.tags.count("svg") == 3
    assert seen.tags.count("rect") == 4 + 4 + 2


def test_a_night_that_was_taken_back_happened_to_no_flag(council: Council) -> None:
    council.night(day(3), a_night(homeless("P1", adviser=""), homeless("P2"), homeless("P3") | UNREADABLE))
    assert "15 January 2026: held, could not be checked" in look(a_page(council, day(3))).text

    request = WithdrawalRequest(day(3), "A Clerk", "a test", day(3))
    withdraw_night(load_config(council.config_path), request, Tools(lambda: council.clock, {}, lambda step: None))
    gone = not a_page(council, day(3)).exists() and not (council.folder / "shared" / day(3).isoformat()).exists()
    council.night(day(4), a_night(homeless("P1", adviser=""), homeless("P2"), homeless("P3")))

    assert gone
    assert "15 January" not in look(a_page(council, day(4))).text


def test_nothing_that_a_person_wrote_becomes_a_part_of_the_page(known: Council) -> None:
    path = a_page(known)
    seen = look(path)

    assert seen.rows[2]["data-adviser"] == HOSTILE
    assert HOSTILE in seen.text
    assert seen.tags.count("script") == 1
    assert "b" not in seen.tags
    assert not [tag for tag in seen.tags if tag in ("img", "iframe", "object", "base", "link")]
    assert "https://cms.example/P1?a=1&b=2" in seen.links
    content = path.read_text(encoding="utf-8")
    assert "default-src 'none'; style-src 'sha256-" in content.replace("&#39;", "'")
    assert " style=" not in content
    assert " onclick" not in content.replace(" onclick=&#39;", "")


def test_a_page_written_again_is_the_same_and_one_without_flags_says_so(council: Council) -> None:
    before = a_page(council).read_bytes()

    council.night(LAST)
    council.night(day(3), [settled(name) for name in ("P1", "P2", "P3", "S1")] + crowd(20))

    assert a_page(council).read_bytes() == before
    empty = look(a_page(council, day(3)))
    assert "As at 15 January 2026: no flags on this list." in empty.text
    assert "script" not in empty.tags


def test_a_councils_own_page_that_cannot_be_filled_is_told_and_the_shipped_one_is_written(council: Council) -> None:
    before, own = a_page(council).read_text(encoding="utf-8"), council.folder / "own"
    own.mkdir()
    (own / "team.html").write_text("{{ page.people[0].nothing }}", encoding="utf-8")
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(f'templates = "own"\n{config}', encoding="utf-8")

    with pytest.raises(MonitorError, match=r"team\.html: .*has no attribute 'nothing'"):
        council.night(LAST)

    assert a_page(council).read_text(encoding="utf-8") == before


# Reading back.


def answer(council: Council, person_id: str, word: str, rule: str = "homeless") -> dict[str, str]:
    """One answer as the page writes it."""
    flags = look(a_page(council)).flags | look(a_page(council, name="team-south.html")).flags
    return {"person_id": person_id, "rule": rule, "key": flags[(person_id, rule)]["data-key"], "answer": word,
            "answer_until": "", "answer_reason": "", "answer_note": ""}  # fmt: skip


def a_file(council: Council, *answers: dict[str, Any], change: Change = lambda file: None) -> Path:
    file = {"made_by": "care-leaver monitor, team's page", "version": 1, "list": "team-north",
            "as_at": LAST.isoformat(), "answers": list(answers)}  # fmt: skip
    change(file)
    path = council.folder / f"answers-team-north-{LAST}.json"
    path.write_text(json.dumps(file), encoding="utf-8")
    return path


def read(council: Council, path: Path, *, on: dt.date = LAST, dry_run: bool = False) -> AnswersSaved:
    """Read a file back as the command does."""
    config = load_config(council.config_path)
    answered = read_answered(path, "A Lead", find_readers(config.teams, on))
    limits = AnswerLimits(config.waivers.reasons, config.answers.list_working_days, config.working_days)
    with council.open_database() as database:
        return save_answers(database, answered, limits, Stamp(on, council.clock), dry_run=dry_run)


def refused(council: Council, path: Path, **given: Any) -> list[str]:
    with pytest.raises(Problems) as caught:
        read(council, path, **given)
    assert council.rows("SELECT count(*), (SELECT count(*) FROM waiver) FROM answer") == [(0, 0)]
    return [problem.removeprefix(f"{path.name}, ") for problem in caught.value.problems]


def test_each_kind_of_answer_is_taken_from_the_file_as_from_the_workbook(council: Council) -> None:
    path = a_file(
        council,
        answer(council, "P1", "done") | {"answer_note": "=cmd|' /C calc'!A0"},
        answer(council, "P2", "waive until")
        | {"answer_until": "2026-02-01", "answer_reason": "under-way", "answer_note": "Room agreed"},
        answer(council, "P3", "not ours"),
        answer(council, "S1", "the record is wrong") | {"answer_note": "</script> lives with an aunt"},
    )

    assert read(council, path, dry_run=True).in_words().startswith("4 answers would be recorded; nothing was: 1 done")
    assert council.rows("SELECT count(*) FROM answer") == [(0,)]
    assert read(council, path).counts == {"done": 1, "waive until": 1, "not ours": 1, "the record is wrong": 1}
    kept = council.rows("SELECT person_id, answer, note, list_as_at, file_row FROM answer ORDER BY file_row")
    assert kept[0] == ("P1", "done", "=cmd|' /C calc'!A0", LAST.isoformat(), 1)
    assert kept[3][:3] == ("S1", "the record is wrong", "</script> lives with an aunt")
    with pytest.raises(Problems, match="this very file was read on 14 January 2026 by A Lead; nothing is new"):
        read(council, path)
    later = a_file(council, answer(council, "P1", "done") | {"answer_note": "=cmd|' /C calc'!A0"})
    with pytest.raises(Problems, match="every answer in it was recorded before"):
        read(council, later)


def of_first(**given: Any) -> Change:
    return lambda file: file["answers"][0].update(given)


def swap_keys(file: dict[str, Any]) -> None:
    first, second = file["answers"]
    first["key"], second["key"] = second["key"], first["key"]


def answer_again(file: dict[str, Any]) -> None:
    file["answers"].append({**file["answers"][0], "answer": "not ours"})


def lose_rule(file: dict[str, Any]) -> None:
    del file["answers"][0]["rule"]


NO_KEY = "answer 1, Key: does not belong to this row: the young person, rule or key has been changed or moved"
AGAIN = "save the answers from the page again, and send the file as it is"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap_keys, [NO_KEY, NO_KEY.replace("1", "2", 1)]),
        (of_first(person_id="P9"), [NO_KEY]),
        (of_first(rule="neet"), [NO_KEY]),
        (of_first(key="1.20260114.0000000000." + "a" * 32), [NO_KEY]),
        (of_first(key="\u00e9.1"), [NO_KEY]),
        (of_first(key=""), ["answer 1, Key: missing; the row was added by hand"]),
        (of_first(answer="doen"), ['answer 1, Answer: "doen" is not an answer; did you mean "done"?']),
        (of_first(answer="=done"), ['answer 1, Answer: "=done" is not an answer']),
        (of_first(answer=""), ["answer 1, Answer: missing, beside what is filled in"]),
        (of_first(answer="the record is wrong"), ["answer 1, Note: missing; say what is wrong"]),
        (of_first(answer_until="soon"), ['answer 1, Until: only goes with "waive until"']),
        (of_first(answer_note="x" * 501), ["answer 1, Note: 501 characters; 500 at most"]),
        (of_first(answer_note="\ud800"), [f"answer 1, Note: holds half a character; {AGAIN}"]),
        (of_first(answer=True), [f"answer 1, Answer: True is not text; {AGAIN}"]),
        (of_first(anser="x"), [f'answer 1, "anser": not of an answer; did you mean "answer"?; {AGAIN}']),
        (lose_rule, [f"answer 1, rule: missing; {AGAIN}"]),
        (answer_again, ["answer 3, Key: the flag is answered in row 1 too; keep one of the two"]),
        (lambda file: file["answers"].append("P1"), [f"answer 3, the whole: not an answer; {AGAIN}"]),
        (lambda file: file.update(answers=[]), ["holds no answer"]),
        (lambda file: file.update(answers={}), [f"answers: not a list; {AGAIN}"]),
        (lambda file: file.update(extra=1), [f'"extra": not of a team\'s page; {AGAIN}']),
        (lambda file: file.update(version=2), ['version: "2"; this monitor reads version 1']),
        (lambda file: file.pop("version"), ["the whole: is not what a team's page saves"]),
    ],
)  # fmt: skip
def test_a_file_that_was_tampered_with_is_refused_in_the_workbooks_words(
    known: Council, change: Change, words: list[str]
) -> None:
    path = a_file(known, answer(known, "P1", "done"), answer(known, "P2", "done"), change=change)

    said = refused(known, path)

    assert len(said) == len(words)
    assert all(each in problem for each, problem in zip(words, said, strict=True))


def test_what_is_no_file_of_a_page_is_refused_without_being_read_further(known: Council) -> None:
    path = a_file(known, answer(known, "P1", "done"))
    whole = path.read_bytes()
    kept = {
        b"": "is no file of a team's page, or was cut short",
        whole[:-20]: "is no file of a team's page, or was cut short",
        whole.decode().encode("utf-16"): "is no file of a team's page, or was cut short",
        b"[" * 200_000: "is no file of a team's page, or was cut short",
        b"[1]": "the whole: is not what a team's page saves",
        b"9" * 5000: "is no file of a team's page, or was cut short",
        b" " * 10_000_001: "over 10 MB; name the file that a team's page saved",
        whole.replace(b'"answer": "done"', b'"answer": "done", "answer": "not ours"'): '"answer" stands twice in one',
    }

    for content, words in kept.items():
        path.write_bytes(content)
        (problem,) = refused(known, path)
        assert words in problem
    path.write_bytes(b"\xef\xbb\xbf" + whole)  # as a text editor saves it
    assert read(known, path, dry_run=True).counts == {"done": 1}


def test_a_page_of_another_night_or_council_is_refused_and_one_too_old(council: Council, known: Council) -> None:
    path = a_file(council, answer(council, "P1", "done"), answer(council, "P2", "done"))

    (old, _) = refused(council, path, on=day(20))
    council.night(day(3), a_night(settled("P1"), homeless("P2"), homeless("P3")))
    resolved = refused(council, path, on=day(3))
    council.rows("SELECT 1")
    with council.open_database() as database, database.writing() as store:
        store.exec_driver_sql("UPDATE seal SET secret = '00ff'")
    (foreign, _) = refused(council, path)

    assert old.startswith("answer 1, Key: the list is of 14 January 2026, 12 working days ago")
    assert resolved == [
        "answer 1, Answer: the flag was resolved on 15 January 2026 (cleared), since the list of 14 January 2026; "
        "empty the row's answer"
    ]
    assert foreign.startswith(NO_KEY)


def test_the_command_reads_a_pages_file_and_says_what_is_wrong_with_it(council: Council) -> None:
    path = a_file(council, answer(council, "P1", "doen"))

    wrong = monitor(council.folder, "answers", str(path), "--by", "A Lead")
    none = monitor(council.folder, "answers", "nothing.json", "--by", "A Lead")

    page = monitor(council.folder, "answers", str(a_page(council)), "--by", "A Lead")

    assert [done.returncode for done in (wrong, none, page)] == [2, 2, 2]
    assert "team-north.html: is the page itself; press “Save my answers” on it, and name the file" in page.stderr
    assert f'{path.name}, answer 1, Answer: "doen" is not an answer; did you mean "done"?' in wrong.stderr
    assert re.search(r"nothing\.json: cannot be read \([^)]+\); name the file that a team's page", none.stderr)


# By e-mail.


def a_mail(council: Council, *lines: str, sender: str = NORTH) -> Path:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ANALYST, "Answers: North, 14 January 2026"
    mail.set_content("\r\n".join(lines) + "\r\n")
    path = council.folder / "answers.eml"
    path.write_bytes(mail.as_bytes())
    return path


def test_the_pages_email_is_taken_from_who_has_the_teams_list_and_from_nobody_else(council: Council) -> None:
    first, other = answer(council, "P3", "done")["key"], answer(council, "S1", "done")["key"]

    (of_south,) = refused(council, a_mail(council, f"done: {other}"))
    (stranger,) = refused(council, a_mail(council, f"done: {first}", sender="someone@example.gov.uk"))
    (changed,) = refused(council, a_mail(council, f"done: {first[:-1]}{'0' if first[-1] != '0' else '1'}"))
    wrapped = ("the record is wrong:", answer(council, "P1", "")["key"])  # as a mail program breaks a long line
    taken = read(council, a_mail(council, f"not ours: {first}", *wrapped))

    assert "was not sent to the address that this reply is from" in of_south
    assert "was not sent to the address that this reply is from" in stranger
    assert NOT_OURS in changed
    assert taken.counts == {"not ours": 1, "the record is wrong": 1}
