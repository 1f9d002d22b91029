"""Messages that come back: what a report says, what follows, and what nobody is made to believe."""

import datetime as dt
import json
import re
from pathlib import Path

import pytest
from support.delivery_reports import FORMS, forwarded, report
from support.postroom import ANALYST, MANAGER, NORTH, SOUTH, START, WEST, Postroom, Script, postroom, written
from typer.testing import CliRunner

from monitor.cli.command import app
from monitor.delivery.delivery_report import read_reports
from monitor.delivery.mail_file import MOST_PARTS, parse
from monitor.outbox.bounces import BounceFile, find_exit_code, read_files
from monitor.outbox.last_told import load_told
from monitor.outbox.trial import record, send_trials
from monitor.record.audit import audit
from monitor.store.tables import Message, table_of

MONDAY, TOMORROW = START.date(), dt.timedelta(1)


def send(room: Postroom, *recipients: str, later: dt.timedelta = dt.timedelta()) -> dict[str, str]:
    """Write and send a digest to each; return their keys by address."""
    room.now += later
    room.post(*map(written, recipients))
    room.deliver(Script())
    keys = room.rows(f"SELECT recipient, key FROM message WHERE kind = 'lead' AND as_at = '{room.now.date()}'")
    return dict(keys)  # type: ignore[arg-type]


def hear(room: Postroom, *contents: bytes) -> list[BounceFile]:
    folder = room.config.data_folder.parent
    paths = [folder / f"{number}.eml" for number, _ in enumerate(contents)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return read_files(room.database, paths, room.now)


def outcomes(files: list[BounceFile]) -> list[str]:
    return [each.outcome for file in files for each in file.heard]


def told_on(room: Postroom, address: str) -> dt.date | None:
    """The date of the last digest of which anything counts as told."""
    with room.database.reading() as store:
        known = load_told(store, since=room.now.date()).get(address)
    return known.last_digest if known else None


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_server_is_understood_also_when_its_report_is_forwarded(form: str):
    content = report("2026-01-12-1-ab12cd34-5", "North@Example.gov.uk", form, status="5.1.10")

    [plain], [inside] = (read_reports(parse(each)) for each in (content, forwarded(content)))

    assert plain.keys == {"2026-01-12-1-ab12cd34-5"}
    assert [(each.addresses, each.failing, each.status) for each in plain.recipients] == [
        (("north@example.gov.uk",), "for good", "5.1.10")
    ]
    assert inside == plain


@pytest.mark.parametrize(
    ("action", "status", "failing"),
    [
        ("failed", "5.1.1", "for good"), ("Failed (gave up)", "5.7.1", "for good"), ("failed", "nonsense", "for good"),
        ("failed", "4.4.7", "for now"), ("failed", "5.2.2", "for now"), ("failed", "5.4.7", "for now"),
        ("expired", "5.0.0", "for now"), ("delayed", "4.4.1", "not"), ("relayed", "2.1.9", "not"), ("", "5.1.1", "not"),
    ],
)  # fmt: skip
def test_what_is_late_has_not_failed_and_what_passes_failed_for_now(action: str, status: str, failing: str):
    [one] = read_reports(parse(report("k-1", NORTH, action=action, status=status)))

    assert [each.failing for each in one.recipients] == [failing]


def test_what_came_back_is_told_the_same_morning_and_counts_as_told_no_more(tmp_path: Path):
    with postroom(tmp_path) as room:
        keys = send(room, NORTH, SOUTH)
        before = told_on(room, NORTH)
        [file] = hear(room, report(keys[NORTH], NORTH))
        room.deliver(channel := Script())

        notices = {one.recipient: one.text for one in channel.sent}
        assert (before, told_on(room, NORTH), told_on(room, SOUTH)) == (MONDAY, None, MONDAY)
        assert room.states() == {NORTH: "permanent-failure", SOUTH: "delivered"}
        assert notices.keys() == {MANAGER, ANALYST}
        assert "5.1.1: nobody has that address there" in notices[MANAGER]
        assert room.events() == ["message bounced", "delivery given up"]
        assert file.in_words() == [
            "0.eml: came back: the message of 12 January 2026 to north@example.gov.uk "
            "(5.1.1: nobody has that address there)"
        ]
        assert not audit(room.database, room.config.data_folder).problems


def test_a_report_is_heard_once_and_whenever_it_comes(tmp_path: Path):
    """After a later digest was sent, after its words were purged, twice, in two files, and of a newer message."""
    with postroom(tmp_path) as room:
        first = send(room, NORTH, SOUTH)
        second = send(room, NORTH, SOUTH, later=TOMORROW)
        emptied = table_of(Message).update().where(table_of(Message).c.key.in_([*first.values()]))
        with room.database.writing() as store:
            store.execute(emptied.values(text="", html="", people="[]"))
        room.now += dt.timedelta(200)
        old, full = report(first[NORTH], NORTH), report(first[SOUTH], SOUTH, status="4.2.2")

        heard = [outcomes(hear(room, *files)) for files in ((old,), (old, old + b"\n"), (full,), (full,))]

        assert heard == [["came back"], ["heard before"] * 2, ["came back"], ["heard before"]]
        assert (told_on(room, NORTH), told_on(room, SOUTH)) == (MONDAY + TOMORROW,) * 2
        assert outcomes(hear(room, report(second[NORTH], NORTH))) == ["came back"]
        assert told_on(room, NORTH) is None


def test_a_full_mailbox_is_tried_again_and_after_a_newer_digest_it_is_not(tmp_path: Path):
    with postroom(tmp_path) as room:
        keys = send(room, NORTH)
        full = report(keys[NORTH], NORTH, "exchange", status="5.2.2")
        first, again = outcomes(hear(room, full)), outcomes(hear(room, full))
        waiting = room.states()
        room.deliver(Script(), later=dt.timedelta(hours=5))
        sent_again, read_again = room.states(), outcomes(hear(room, full))
        send(room, NORTH, later=TOMORROW)
        late = outcomes(hear(room, report(keys[NORTH], NORTH, "sendmail", status="4.4.7")))

        assert (first, again, read_again) == (["came back for now"], ["heard before"], ["heard before"])
        assert (waiting, sent_again) == ({NORTH: "temporary-failure"}, {NORTH: "delivered"})
        assert late == ["came back for now"]
        assert room.rows("SELECT state FROM message WHERE kind = 'lead' ORDER BY id") == [("replaced",), ("delivered",)]
        assert not audit(room.database, room.config.data_folder).problems


def test_nothing_is_believed_or_kept_of_a_report_that_is_not_ours(tmp_path: Path):
    """Another's message, ours to another address, ours with a made-up key, and one that is only late."""
    with postroom(tmp_path) as room:
        keys = send(room, NORTH, SOUTH)
        several = "\nFinal-Recipient: rfc822; west@example.gov.uk\nAction: failed\nStatus: 5.1.1\n"
        events = room.events()

        heard = hear(
            room,
            report("somebody-elses-1", NORTH),
            report(keys[NORTH], WEST, "exchange"),
            report(f"{keys[NORTH]}0", NORTH),
            report(keys[NORTH], NORTH, action="delayed", status="4.4.1", more=several),
            report("../../etc/passwd", NORTH, "exim"),
        )

        assert outcomes(heard) == ["not ours", "not ours", "not ours", "late", "not ours"]
        assert (room.events(), find_exit_code(heard)) == (events, 0)
        assert set(room.states().values()) == {"delivered"}
        assert WEST not in str([file.in_words() for file in heard])


def test_what_came_back_of_a_test_is_said_and_nothing_follows(tmp_path: Path):
    with postroom(tmp_path) as room:
        done = send_trials(Script(), room.config, {NORTH: ()}, now=room.now, sleep=lambda _: None)
        with room.database.writing() as store:
            record(store, done, room.now)
        events = room.events()

        heard = hear(room, report(done.each[0].key, NORTH), report("test-000000000000", NORTH))

        assert outcomes(heard) == ["came back", "not ours"]
        words = f"came back: the test message to {NORTH} (5.1.1: nobody has that address there)"
        assert heard[0].in_words() == [f"0.eml: {words}"]
        assert (room.events(), find_exit_code(heard)) == (events, 1)


def nested(depth: int) -> bytes:
    return b"From: a@b.example\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth)
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x" * 10_000_000, "over 5 MB"),
        (nested(5_000), "parts inside one another"),
        (b"From: a@b.example\n" + b"Content-Type: message/rfc822\n\n" * (MOST_PARTS - 2), "no delivery report"),
        (nested(MOST_PARTS - 2), "no delivery report"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "Outlook item"),
        (b"From: a\nContent-Type: message/delivery-status\n\n" + b"a: b\n\n" * 20_000, "groups of fields"),
        (b"PK\x03\x04 no mail", "no headers of an e-mail"),
        (b"", "no headers of an e-mail"),
        (b"From: a@b.example\nSubject: =?nonsense?Q?=FF?=\nContent-Type: text/plain; charset=\xff\n\n\xff\xfe",
         "no delivery report"),
        (b"From: a\nX-Failed-Recipients: \xff, <>, (\n\nThis is a copy of the message\nMessage-ID: <\xff@x>\n", None),
        (report("k-1", NORTH).replace(b"charset=us-ascii", b"charset=\xfe\xff").replace(b"Status: 5", b"Status: \xff"),
         None),
        (report("k-1", NORTH).replace(b"status\n\n", b"status\nContent-Transfer-Encoding: base64\n\n"),
         None),
        (report("k-1", NORTH)[:900], None),
    ],
)  # fmt: skip
def test_a_file_that_is_broken_or_hostile_is_words_and_never_a_traceback(content: bytes, words: str | None, tmp_path):
    with postroom(tmp_path) as room:
        [file] = hear(room, content)

    assert (file.fault is None) if words is None else (words in (file.fault or ""))
    assert all(each.outcome == "not ours" for each in file.heard)


def test_the_command_says_what_was_found_and_sends_the_notice(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("monitor.toml").write_text(
        '[[sources]]\nname = "caseload"\nkind = "sample"\n[people]\nanalyst = "analyst@example.gov.uk"\n'
        '[[teams]]\nname = "North"\nlead = "north@example.gov.uk"\n',
        encoding="utf-8",
    )
    with postroom(tmp_path) as room:
        keys = send(room, NORTH)
    Path("came-back.eml").write_bytes(report(keys[NORTH], NORTH, "exchange"))
    Path("other.eml").write_bytes(report("other-1", NORTH))
    Path("shopping.txt").write_text("milk", encoding="utf-8")
    run = CliRunner().invoke

    neither, none, heard, again = (
        run(app, ["bounced", *files]) for files in (
            ["other.eml"], ["other.eml", "shopping.txt", "gone.eml"], ["--json", "came-back.eml", "shopping.txt"],
            ["came-back.eml"],
        )
    )  # fmt: skip

    assert [each.exit_code for each in (neither, none, heard, again)] == [0, 2, 1, 0]
    assert "other.eml: not ours: it names no message of this monitor's; nothing of it is kept" in none.output
    assert re.search(r"gone\.eml: cannot be read \([^)]+\); name an e-mail saved as \.eml", none.output)
    assert json.loads(heard.output)[0]["reports"][0]["outcome"] == "came back"
    assert "came-back.eml: heard before: the message of 12 January 2026" in again.output
    assert [path.name[:11] for path in (tmp_path / "data" / "outbox").rglob("*.eml")] == ["undelivered"]


def test_what_was_in_doubt_is_known_to_have_come_back(tmp_path: Path):
    with postroom(tmp_path) as room:
        keys = send(room, NORTH)
        with room.database.writing() as store:
            held = {"state": "technical-failure", "accepted_at": None, "trouble": "in doubt", "reported_at": room.now}
            store.execute(table_of(Message).update().values(held))

        heard = outcomes(hear(room, report(keys[NORTH], NORTH, status="4.4.7")))
        room.deliver(channel := Script())

        assert heard == ["came back"]
        assert {one.recipient for one in channel.sent} == {MANAGER, ANALYST}
