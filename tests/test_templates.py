"""The words a person reads: subject, text and HTML of every message, and what a wrong template says."""

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from monitor.caseload.departures import Departed
from monitor.config.delivery_settings import People, Team
from monitor.config.settings import shipped
from monitor.errors import Problems
from monitor.figures.week import Week
from monitor.messages import samples
from monitor.messages.analyst import Addressed, NightAccount, RefusedDigest, compose_analyst
from monitor.messages.head import compose_head
from monitor.messages.lead import NoLead, compose_lead
from monitor.messages.parts import FlagLine, MessageContext, WrittenMessage
from monitor.messages.routes import plan_routes
from monitor.messages.templates import MESSAGES, open_templates, remember, render, render_together, wrap_text
from monitor.messages.told import NOTHING_TOLD, Told, ToldFlag
from monitor.words import write_count, write_date, write_long_date

AS_AT = date(2026, 1, 12)
BEFORE = date(2026, 1, 9)
LEAD = "lead.north@example.gov.uk"
ANALYST = "analyst@example.gov.uk"


@dataclass(frozen=True)
class Words:
    """Here, because the process that fills a council's own templates loads this module, and not those of support."""

    title: str
    action: str = "Make contact and record it."
    sensitive: bool = False
    shown_as: str | None = None
    stands_for: tuple[str, ...] = ()
    due_on: object | None = "due"
    folds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Intake:
    people: int = 912
    rows: int = 921
    unreadable_rows: int = 2
    unreadable_cells: int = 37
    conflicts: int = 1
    duplicates: int = 4
    placeholder_advisers: int = 11
    notes: tuple[str, ...] = ("list-9.xlsx: 1 heading is not known and was not read: Keyworker",)


@dataclass(frozen=True)
class Counts:
    asked: int
    ok: int
    breach: int
    cannot_assess: int


RULES = {
    "homeless": Words("Nowhere settled to live", "Go through the housing protocol today."),
    "plan": Words("Pathway plan overdue for review", "Hold the review and record it."),
    "contact": Words("Contact overdue"),
    "not-in-touch": Words("Not in touch", folds=frozenset({"contact"})),
    "vulnerable": Words("Disabled, no adviser", "Secret action.", sensitive=True, shown_as="priority"),
    "priority": Words("Priority check", "Look at the record.", stands_for=("vulnerable",)),
    "in-touch-recorded": Words("In-touch status not recorded"),
}


def night(*teams: Team, restricted: frozenset[str] = frozenset(), **given: Any) -> MessageContext:
    teams = teams or (Team(name="Leaving Care North", lead=LEAD),)
    people = People(analyst=ANALYST, fallback="care@example.gov.uk", head="head@example.gov.uk")
    usual: dict[str, Any] = {
        "as_at": AS_AT,
        "authority": "Exampleshire",
        "marking": "OFFICIAL-SENSITIVE",
        "rules": RULES,
        "routes": plan_routes(teams, people, restricted),
        "case_url": "https://cms.example.gov.uk/person/{person_id}",
    }
    return MessageContext(**(usual | given))


def line(flag_id: int, person_id: str, rule: str = "plan", severity: str = "high", **given: Any) -> FlagLine:
    usual: dict[str, Any] = dict.fromkeys(FlagLine._fields)
    usual |= {
        "flag_id": flag_id, "person_id": person_id, "rule": rule, "severity": severity, "state": "open", "age": 22,
        "team": "Leaving Care North", "personal_adviser": "Sam Okafor", "opened_on": AS_AT,
        "because": "Plan last reviewed 5 July 2025; due 5 January 2026.", "earlier_spells": 0, "flips": 0,
    }  # fmt: skip
    return FlagLine(**(usual | given))


def told(*lines: FlagLine) -> Told:
    return Told({each.flag_id: ToldFlag(each.person_id, each.severity) for each in lines}, last_digest=BEFORE)


OLD = line(900, "P900", "contact", "medium", opened_on=BEFORE, because="Latest contact 1 November 2025.")


def lead_mail(
    *lines: FlagLine,
    known: Told | None = None,
    recipient: str = LEAD,
    the_night: MessageContext | None = None,
    full: bool = False,
) -> WrittenMessage:
    the_night = replace(the_night or night(), full_list_from=AS_AT if full else None)
    digest = compose_lead(recipient, lines, told(OLD) if known is None else known, the_night)
    assert digest is not None
    return render(digest)


def analyst_mail(*lines: FlagLine, the_night: MessageContext | None = None, **given: Any) -> WrittenMessage:
    usual: dict[str, Any] = {"intake": Intake(), "checked": 912, "totals": {"plan": Counts(602, 500, 90, 12)}}
    return render(compose_analyst(ANALYST, lines, NOTHING_TOLD, the_night or night(), NightAccount(**(usual | given))))


def squeeze(text: str) -> str:
    """The text with wrapping undone."""
    return " ".join(text.split())


def words_of(html: str) -> str:
    """What is left of a page when every tag and style is taken away, and what nobody sees."""
    unseen = r'<style.*?</style>|<!--.*?-->|<title>.*?</title>|<div style="display:none.*?</div>'
    body = re.sub(unseen, " ", html, flags=re.DOTALL)
    parser = HTMLParser()
    found: list[str] = []
    parser.handle_data = found.append  # type: ignore[method-assign]
    parser.feed(body)
    return squeeze(" ".join(found)).replace(" .", ".").replace(" ,", ",")


def test_a_critical_flag_says_who_what_changed_why_how_late_and_what_to_do():
    before = {("P001", "plan"): ("dated 4 July 2025",)}
    mail = lead_mail(
        line(1, "P001", severity="critical", due_on=date(2026, 1, 5)),
        the_night=night(before=before, previous_accepted_on=AS_AT - timedelta(1)),
    )

    for words in (squeeze(mail.text), words_of(mail.html)):
        assert "1. Ring Sam Okafor today about P001" in words
        assert "Pathway plan overdue for review since last night (dated 4 July 2025 before). Plan last" in words
        assert "Plan last reviewed 5 July 2025; due 5 January 2026. 7 days over. Do: Hold the review and" in words


def test_a_new_flag_that_is_not_critical_is_a_line():
    mail = lead_mail(line(1, "P001", due_on=date(2026, 1, 5)))

    for words in (squeeze(mail.text), words_of(mail.html)):
        assert "P001, Sam Okafor: pathway plan overdue for review, 7 days over" in words


def test_the_due_date_is_given_when_the_reason_does_not_hold_it():
    mail = lead_mail(line(1, "P001", severity="critical", because="No contact recorded.", due_on=date(2026, 1, 11)))

    assert "No contact recorded. Due 11 January 2026, 1 day over." in squeeze(mail.text)


def test_the_subject_is_marking_counts_and_date():
    known = line(3, "P003", "contact", "medium", opened_on=BEFORE)
    cleared = line(5, "P005", state="resolved", resolved_reason="cleared")

    mail = lead_mail(
        line(1, "P001"), line(2, "P002"), known, line(4, "P003", "homeless", "critical"), cleared,
        known=told(known, cleared),
    )  # fmt: skip

    assert mail.subject == "OFFICIAL-SENSITIVE Leaving care: 1 newly critical, 2 new, 1 put right - 12 January 2026"


def test_the_baseline_says_what_it_is():
    mail = lead_mail(line(1, "P001"), known=NOTHING_TOLD, the_night=night(baseline=True))

    assert mail.subject == "OFFICIAL-SENSITIVE Leaving care: baseline, 1 high - 12 January 2026"
    assert "This is your baseline, the first night the monitor has looked." in squeeze(mail.text)
    assert "This is your baseline" in words_of(mail.html)
    assert "[new]" not in mail.text


def test_a_baseline_with_nothing_open_says_so():
    mail = lead_mail(known=NOTHING_TOLD, the_night=night(baseline=True))

    assert mail.subject == "OFFICIAL-SENSITIVE Leaving care: baseline, nothing open - 12 January 2026"
    assert "Nothing is open on the record." in mail.text


def test_a_first_digest_after_the_baseline_night_says_why_everything_is_new():
    mail = lead_mail(line(1, "P001"), known=NOTHING_TOLD)

    assert "This is the first digest sent to this address, so everything open counts as new." in squeeze(mail.text)


def test_a_correction_says_so_in_subject_and_body():
    mail = lead_mail(line(1, "P001"), the_night=night(correction=True))

    assert mail.subject.startswith("OFFICIAL-SENSITIVE Leaving care: correction, 1 new")
    assert "This is a correction: data for 12 January 2026 was loaded again." in squeeze(mail.text)


def test_a_message_that_may_have_arrived_is_owned_up_to():
    mail = lead_mail(line(1, "P001"), known=replace(told(OLD), perhaps_had=(date(2026, 1, 10),)))

    assert "You may have had some of this on 10 January 2026" in squeeze(mail.text)
    assert "You may have had some of this on 10 January 2026" in words_of(mail.html)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "settled to live since last night. Because."),
        ({"opened_on": BEFORE}, "settled to live since 9 January 2026. Because."),
        ({"earlier_spells": 1, "last_cleared_on": date(2025, 12, 3)},
         "settled to live again since last night. Because. It was put right on 3 December 2025."),
        ({"earlier_spells": 4, "last_cleared_on": BEFORE, "flips": 4},
         "settled to live: recorded 4 times in 30 days. Because. It keeps changing: check what is recorded."),
        ({"state": "held", "held_since": AS_AT},
         "settled to live since last night. Because. It could not be checked last night."),
        ({"unconfirmed": True},
         "Because. So many came at once that it may be a fault in the data, and nobody has confirmed it. Check"),
        ({"flag_id": 900, "opened_on": BEFORE, "waiver_ended_on": AS_AT},
         "settled to live since 9 January 2026. Because. The waiver has ended."),
    ],
)  # fmt: skip
def test_a_card_says_what_changed(change, words):
    flag = line(1, "P001", "homeless", "critical", because="Because.")._replace(**change)

    mail = lead_mail(flag, known=told(OLD, OLD._replace(flag_id=900, severity="critical")))

    assert words in squeeze(mail.text)
    assert words in words_of(mail.html)


def test_after_a_gap_nothing_is_said_to_be_since_last_night():
    mail = lead_mail(line(1, "P001", "homeless", "critical"), the_night=night(previous_accepted_on=BEFORE))

    assert "settled to live, new since 9 January 2026." in squeeze(mail.text)


def test_no_longer_asked_is_not_called_cleared():
    mail = lead_mail(line(900, "P900", state="resolved", resolved_reason="no longer asked"))

    assert mail.subject == "OFFICIAL-SENSITIVE Leaving care: 1 check no longer applies - 12 January 2026"
    assert "1 flag ended because the check no longer applies." in squeeze(mail.text)
    assert "Put right" not in mail.text


def test_a_sensitive_rule_shows_its_neutral_title_and_due_date_and_nothing_else():
    secret = line(1, "P001", "vulnerable", "critical", because="Disability recorded.", due_on=date(2026, 1, 5))

    mail = lead_mail(secret, the_night=night(list_rows={1: 14}))

    for words in (squeeze(mail.text), words_of(mail.html), mail.subject):
        assert not re.search("disab|secret|days over", words, re.IGNORECASE)
    said = "Priority check. Due 5 January 2026. Row 14 of your list has the details. Do: Look at the record."
    assert said in squeeze(mail.text)


def test_no_message_says_how_old_a_young_person_is():
    mail = lead_mail(line(1, "P001", age=22, eligibility="former relevant"))

    for words in (mail.text, words_of(mail.html)):
        assert "22" not in words
        assert "former relevant" not in words


def test_a_subject_holds_no_id_team_or_adviser():
    mail = lead_mail(line(1, "P001"))

    assert not re.search("P001|North|Okafor", mail.subject)


def test_the_fallback_is_told_why_and_what_to_do():
    mail = lead_mail(line(1, "P001", team="East"), line(2, "P002", team=None), recipient="care@example.gov.uk")

    words = squeeze(mail.text)
    assert "Young people whose team has no lead, Monday 12 January 2026" in words
    assert "1 young person: team “East”, which the settings do not know" in words
    assert "1 young person: no team recorded" in words
    assert "Correct the team in the case system, or ask the analyst to give it a lead." in words
    assert "P001, Sam Okafor (East): pathway plan overdue for review" in words


def test_the_head_of_service_is_told_that_nobody_else_sees_restricted_people():
    mail = lead_mail(line(1, "P001"), recipient="head@example.gov.uk", the_night=night(restricted=frozenset({"P001"})))

    assert "1 young person on the restricted list is included here and shown to nobody else." in squeeze(mail.text)


def test_what_comes_from_the_data_is_escaped_in_html_and_plain_in_text():
    name = "<script>alert(1)</script> & Co"
    flag = line(1, "P<b>1", team=name, personal_adviser='"><img src=x>', because="<i>x</i> & y.")

    mail = lead_mail(flag, the_night=night(Team(name=name, lead=LEAD), adjustments=("<u>1</u>",)))

    assert not re.search("<script|<img|<i>|<b>|<u>", mail.html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co" in mail.html
    assert name in mail.text


def test_the_text_part_is_at_most_78_columns_wide():
    long = "A reason that goes on for a good while longer than any one line of an e-mail ought to. " * 3

    mail = lead_mail(line(1, "P001", because=long), the_night=night(adjustments=(long,), case_url=None))

    assert max(map(len, mail.text.splitlines())) <= 78


def test_the_page_is_made_for_screen_readers_phones_and_dark_mode():
    page = lead_mail(line(1, "P001"), OLD).html

    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert '<html lang="en-GB"' in page
    assert 'name="color-scheme" content="light dark"' in page
    assert "prefers-color-scheme: dark" in page
    assert 'content="width=device-width' in page
    for table in re.findall(r"<table[^>]*>.*?</tr>", page, re.DOTALL):
        assert 'role="presentation"' in table or "<th scope=" in table


def test_the_page_fetches_nothing_from_anywhere():
    page = lead_mail(line(1, "P001")).html

    assert not re.search(r"<img|<link|<script|src=|url\(|@import|@font-face", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {"https://cms.example.gov.uk/person/P001"}


def test_no_link_is_made_without_a_case_url():
    mail = lead_mail(line(1, "P001"), the_night=night(case_url=None))

    assert "href" not in mail.html
    assert "http" not in mail.text


def test_changed_failed_and_adjusted_rules_stand_at_the_foot():
    the_night = night(
        adjustments=("Contact overdue: 6 weeks instead of 8 weeks (agreed by A Manager).",),
        rules_changed=("plan",),
        failed={"homeless": "x"},
        not_assessed={"local-offer": ("local_offer_date",)},
    )

    words = squeeze(lead_mail(line(1, "P001"), the_night=the_night, full=True).text)

    assert "“Pathway plan overdue for review” is checked in another way since the last night." in words
    assert "“Nowhere settled to live” could not be run tonight. The analyst knows." in words
    assert "asked of nobody" not in words
    assert "Contact overdue: 6 weeks instead of 8 weeks (agreed by A Manager)." in words


def test_the_analyst_reads_what_the_night_did():
    flags = [line(n, f"P{n:03}", "in-touch-recorded", "data") for n in range(1, 27)]

    mail = analyst_mail(
        *flags,
        the_night=night(not_assessed={"local-offer": ("local_offer_date",)}, failed={"neet": "overflow"}),
        unreadable={"activity": 7, "latest_contact_date": 30},
        cannot_assess={"latest_contact_date": 30},
        no_lead=(NoLead("East", "unknown team", 9),),
        departed=Departed(deaths=(("P700", AS_AT),)),
        changes={"opened": 14, "cleared": 9},
        opened={"plan": 14},
        readers=Addressed(4, 1, 2),
        lists_folder="data/exceptions/2026-01-12",
    )  # fmt: skip

    assert mail.kind == "analyst"
    assert mail.subject == (
        "OFFICIAL-SENSITIVE Leaving care data: needs you: 1 rule failed, 1 death to confirm, 9 without a lead "
        "(912 checked, 26 new data flags) - 12 January 2026"
    )
    for words in (squeeze(mail.text), words_of(mail.html)):
        assert "912 young people checked, from 921 rows." in words
        assert "4 leads, 1 manager and 2 heads have a digest." in words
        assert "In-touch status not recorded: 26 new, 26 open" in words
        assert "P020" in words
        assert "and 6 more" in words
        assert "P021" not in words
        assert "2 rows and 37 cells could not be read." in words
        assert "9 young people: team “East”, which the settings do not know" in words
        assert "local-offer: no source supplies local_offer_date" in words
        assert "neet: overflow. Its flags are held as they were." in words
        assert "P700" in words
        assert "list-9.xlsx: 1 heading is not known" in words
        assert "(data/exceptions/2026-01-12)" in words
    assert "plan 602 500 90 12 14" in squeeze(mail.text)
    assert "plan 602 asked: 90 in breach, 500 OK, 12 cannot assess; 14 new" in words_of(mail.html)
    assert set(mail.flag_ids) == set(range(1, 27))


def test_the_analyst_sees_the_column_with_most_gaps_first():
    words = squeeze(analyst_mail(unreadable={"activity": 7, "latest_contact_date": 30}).text)

    assert words.index("latest_contact_date: 30") < words.index("activity: 7")


def test_the_analyst_is_never_shown_a_restricted_id():
    flags = [line(1, "P001", "in-touch-recorded", "data"), line(2, "P002", "in-touch-recorded", "data")]
    departed = Departed(deaths=(("P003", AS_AT),))

    mail = analyst_mail(*flags, the_night=night(restricted=frozenset({"P002", "P003"})), departed=departed)

    for words in (mail.text, mail.html):
        assert "P001" in words
        assert "P002" not in words
        assert "P003" not in words
    assert "1 on the restricted list, not named here" in squeeze(mail.text)
    assert mail.people == ("P001",)


def test_a_data_flag_the_analyst_knows_is_counted_and_not_named_again():
    flag = line(1, "P001", "in-touch-recorded", "data")
    account = NightAccount(intake=Intake(), totals={})

    mail = render(compose_analyst(ANALYST, [flag], told(flag), night(), account))

    assert "In-touch status not recorded: 0 new, 1 open" in mail.text
    assert "P001" not in mail.text


@pytest.mark.parametrize(
    ("why", "subject", "words"),
    [
        ("refused", "night refused", "does not look like the whole caseload, so it was not believed."),
        ("unreadable", "source not read", "could not be read, so nobody was checked."),
        ("failed", "night failed", "stopped before it was done."),
    ],
)  # fmt: skip
def test_the_analyst_is_told_why_a_night_did_not_count(why, subject, words):
    reason = "700 of the 912 young people of 9 January 2026 are here tonight (77%); at least 90% are needed"

    mail = render(RefusedDigest(ANALYST, night(previous_accepted_on=BEFORE), why, (reason,)))

    assert mail.subject == f"OFFICIAL-SENSITIVE Leaving care: {subject} - 12 January 2026"
    for read in (squeeze(mail.text), words_of(mail.html)):
        assert words in read
        assert reason in read
        assert "No flag has changed and no team lead has been told anything." in read
        assert "The last accepted night was 9 January 2026." in read


def test_a_marking_with_control_characters_cannot_begin_a_header():
    mail = lead_mail(line(1, "P001"), the_night=night(marking="OFFICIAL\r\nBcc: x@example.com\x00"))

    assert mail.subject.startswith("OFFICIAL Bcc: x@example.com Leaving care:")
    assert mail.subject.isprintable()


def test_dates_and_counts_are_written_as_people_say_them():
    assert write_date(date(2026, 3, 1)) == "1 March 2026"
    assert write_long_date(date(2026, 3, 1)) == "Sunday 1 March 2026"
    assert write_count(1, "person", "people") == "1 person"
    assert write_count(1234, "person", "people") == "1,234 people"


def test_a_long_word_is_never_broken_by_wrapping():
    address = "https://cms.example.gov.uk/" + "x" * 90

    assert wrap_text(f"See {address}", "- ").splitlines()[-1] == f"  {address}"


def test_a_councils_own_template_is_used_and_the_rest_stay_as_shipped(tmp_path: Path):
    (tmp_path / "lead.subject.txt").write_text("Our own words")
    digest = compose_lead(LEAD, [line(1, "P001")], told(OLD), night())

    mail = render(digest, open_templates(tmp_path))

    assert mail.subject == "OFFICIAL-SENSITIVE Our own words - 12 January 2026"
    assert "New\n- P001" in mail.text


def test_a_template_that_names_what_no_digest_has_is_refused_before_anything_is_sent(tmp_path: Path):
    (tmp_path / "lead.txt").write_text("{{ digets.teams }}")
    (tmp_path / "analyst.html").write_text("{% if %}")

    with pytest.raises(Problems) as caught:
        open_templates(tmp_path)

    assert len(caught.value.problems) == 2
    assert 'lead.txt: no "digets"; everything a message holds is under "digest"' in caught.value.problems
    assert any(problem.startswith("analyst.html: line 1: ") for problem in caught.value.problems)


def test_a_template_that_asks_a_digest_for_something_unknown_is_named_when_it_is_filled(tmp_path: Path):
    (tmp_path / "lead.txt").write_text("{{ digest.temas }}")
    digest = compose_lead(LEAD, [line(1, "P001")], told(OLD), night())

    with pytest.raises(Problems, match=r"lead\.txt: .*temas"):
        render(digest, open_templates(tmp_path))


def test_every_shipped_template_passes_the_check_that_a_councils_own_must_pass():
    open_templates(shipped("templates"))


def test_every_kind_of_message_has_a_specimen_that_the_shipped_templates_can_put_into_words():
    samples.prove(open_templates())

    assert {digest.template for digest in samples.make()} == set(MESSAGES)


@pytest.mark.parametrize(
    ("name", "words", "fault"),
    [
        ("lead.html", "{{ digest.teams[0] }}{% for each in digest.also_new %}{{ each.name }}{% endfor %}", "name"),
        ("manager.txt", "{% for person in digest.named %}{{ person.boss }}{% endfor %}", "boss"),
        ("head.txt", "{{ digest.week.sights }}", "sights"),
        ("page.txt", "{{ parts | join }}{{ digest.night.autority }}", "autority"),
    ],
)
def test_a_name_no_message_has_is_found_by_trying_each_template(tmp_path: Path, name: str, words: str, fault: str):
    (tmp_path / name).write_text(words, encoding="utf-8")

    with pytest.raises(Problems, match=rf"{name}: .*{fault}"):
        samples.prove(open_templates(tmp_path))


def test_a_subject_template_that_leaves_out_the_marking_still_has_it_first(tmp_path: Path):
    (tmp_path / "page.subject.txt").write_text("News of {{ parts | join }}")
    digest = compose_lead(LEAD, [line(1, "P001")], told(OLD), night())

    mail = render(digest, open_templates(tmp_path))

    assert mail.subject == "OFFICIAL-SENSITIVE News of Leaving care: 1 new"


def test_two_parts_make_one_message_with_one_frame():
    digest = compose_lead(LEAD, [line(1, "P001")], told(OLD), night(chain_head="a" * 64))
    week = compose_head(LEAD, (), Week(BEFORE, (), ()), night())

    mail = render_together((digest, week))

    assert mail.subject == (
        "OFFICIAL-SENSITIVE Leaving care: 1 new; "
        "Leaving care week: 0 out of sight, 0 opened, 0 cleared - 12 January 2026"
    )
    assert mail.text.count("OFFICIAL-SENSITIVE") == mail.html.count(">OFFICIAL-SENSITIVE<") == 1
    assert mail.text.count("Record sealed at aaaa") == 1
    assert mail.holds == ("lead", "summary")


def test_the_same_plain_values_are_worded_once_and_anything_else_each_time():
    asked: list[object] = []

    def write(*values: object) -> str:
        asked.append(values)
        return f"{len(asked)}"

    write_once = remember(write)

    assert [write_once("a", (None, day)) for day in (AS_AT, AS_AT, BEFORE)] == ["1", "1", "2"]
    assert [write_once(True), write_once(1), write_once(["a"]), write_once(["a"])] == ["3", "4", "5", "6"]


def test_every_table_of_figures_has_a_caption_and_scopes():
    for digest in samples.make():
        page = render(digest).html
        for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
            if "<td" in table and 'role="presentation"' not in table:
                assert re.match(r"<table[^>]*>\s*<caption", table)
                assert 'scope="col"' in table
                assert 'scope="row"' in table
