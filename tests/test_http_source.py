"""Web services as sources: pages over real connections, signing in, and every way in which that goes wrong."""

import base64
import datetime as dt
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from support.council import NIGHT, Council, crowd
from support.servers.http import Asked, Said, Server, as_json, serving

from monitor.caseload.intake import CouncilNames, type_rows
from monitor.config.settings import load_config
from monitor.config.source_settings import Http, Source
from monitor.errors import Problems, SourceError
from monitor.gate.verdict import NotBelieved
from monitor.sources import http
from monitor.sources.extract import Extract, SourceContext
from monitor.sources.http_json import Document, NotReadable
from monitor.workspace import fetch, open_workspace

SECRET, TOKEN = "not-for-anyone-to-see", "token-not-for-anyone-to-see"
ENVIRON = {"ID": "monitor", "SECRET": SECRET, "TOKEN": TOKEN}


def person(number: int, **other: Any) -> dict[str, Any]:
    return {"person_id": f"P{number:03}", "date_of_birth": "2005-03-01", "in_touch": "YES", **other}


@dataclass
class Reading:
    """One reading of a service: what came of it, what was waited for, and what was said of its progress."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    headings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    only_page: str | None = None
    waits: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def ids(self) -> list[str]:
        return [row[f"c{self.headings.index('person_id')}"] for row in self.rows]

    def column(self, heading: str) -> list[str | None]:
        return [row[f"c{self.headings.index(heading)}"] for row in self.rows]


def read(url: str, reading: Reading | None = None, **settings: Any) -> Reading:
    reading = Reading() if reading is None else reading
    workspace = open_workspace()
    source = Source(name="case-api", kind="http", http=Http(url=url, **settings))
    context = SourceContext(NIGHT, environ=ENVIRON, say=reading.said.append, sleep=reading.waits.append)
    loaded = http.load(workspace, "extract", source, context)
    reading.headings, reading.notes, reading.only_page = loaded.headings, loaded.notes, loaded.only_page
    reading.rows = fetch(workspace, 'SELECT * FROM extract ORDER BY "row"')
    return reading


def refusal(url: str, **settings: Any) -> str:
    """Why the source is refused; no secret, and nothing that the service said, is ever in it."""
    with pytest.raises(SourceError) as refused:
        read(url, **settings)
    said = str(refused.value)
    assert refused.value.exit_code == 3
    assert said.startswith('source "case-api": ')
    assert SECRET not in said
    assert TOKEN not in said
    assert "key=hidden" not in said
    return said


def paged(*pages: list[dict[str, Any]], name: str = "next") -> Callable[[Asked], Said]:
    def answer(asked: Asked) -> Said:
        place = int(asked.query.get("page", "1"))
        following = f"/people?page={place + 1}" if place < len(pages) else None
        return as_json({"data": {"people": pages[place - 1]}, "links": {name: following}})

    return answer


PAGED = {"items": "data.people", "next": "links.next"}


# What is read


def test_a_list_in_one_answer_is_read_with_its_keys_as_headings() -> None:
    with serving(lambda asked: as_json([person(2), person(1)])) as server:
        reading = read(server.url)

    assert reading.headings == ("person_id", "date_of_birth", "in_touch")
    assert reading.ids() == ["P001", "P002"]
    assert [row["row"] for row in reading.rows] == [1, 2]


def test_every_page_that_the_body_names_is_read() -> None:
    pages = [[person(1), person(2)], [person(3)], [person(4)]]
    with serving(paged(*pages)) as server:
        reading = read(f"{server.url}/people", **PAGED)

    assert reading.ids() == ["P001", "P002", "P003", "P004"]
    assert len(server.log) == 3
    assert reading.said[-1] == "Reading case-api: 4 rows"


def test_every_page_that_a_link_header_names_is_read() -> None:
    def answer(asked: Asked) -> Said:
        page = int(asked.query.get("page", "1"))
        link = f'<?page={page + 1}>; rel="next", </people?page=9>; rel="last"' if page < 3 else '<?page=1>; rel="prev"'
        return as_json([person(page)], Link=link)

    with serving(answer) as server:
        reading = read(f"{server.url}/people", next="header")

    assert reading.ids() == ["P001", "P002", "P003"]


def test_csv_is_read_page_by_page() -> None:
    def answer(asked: Asked) -> Said:
        if asked.query:
            return Said(b"person_id,date_of_birth,closure_reason\nP3,2005-03-01,x\n")
        body = 'person_id,date_of_birth,closure_reason\r\nP1,2005-03-01,"moved,\nagain"\r\nP2,2005-03-01,\u00e9\r\n'
        return Said(("\ufeff" + body).encode(), headers={"Link": '<?page=2>; rel="next"', "Content-Type": "text/csv"})

    with serving(answer) as server:
        reading = read(server.url, format="csv", next="header")

    assert reading.ids() == ["P1", "P2", "P3"]
    assert reading.column("closure_reason") == ["moved,\nagain", "\u00e9", "x"]


def test_values_keep_the_form_in_which_they_are_written() -> None:
    body = b"""[{"person_id": 12345678901234567890, "date_of_birth": "2005-03-01", "closure_reason": 1.50,
        "disability": true, "uasc": false, "personal_adviser": null, "allocated_team": "\\ud800 caf\\u00e9",
        "in_touch": ""}]"""
    with serving(lambda asked: as_json(body)) as server:
        reading = read(server.url)

    values = {heading: reading.column(heading)[0] for heading in reading.headings}
    assert values == {
        "person_id": "12345678901234567890", "date_of_birth": "2005-03-01", "closure_reason": "1.50",
        "disability": "true", "uasc": "false", "personal_adviser": None, "allocated_team": "? caf\u00e9",
        "in_touch": "",
    }  # fmt: skip


def test_a_key_that_some_items_lack_is_blank_for_them_and_said() -> None:
    with serving(lambda asked: as_json([person(1), person(2, personal_adviser="A Example"), person(3)])) as server:
        reading = read(server.url)

    assert reading.column("personal_adviser") == [None, "A Example", None]
    assert reading.notes == ('2 of 3 items have no "personal_adviser"; read as blank',)


def test_a_column_that_holds_objects_is_not_supplied_rather_than_blank() -> None:
    people = [person(1, personal_adviser={"name": "A"}, addresses=[1]), person(2, personal_adviser="B Example")]
    with serving(lambda asked: as_json(people)) as server:
        reading = read(server.url)

    assert "personal_adviser" not in reading.headings
    assert reading.notes == ('keys that hold lists or objects were not read: "addresses", "personal_adviser"',)


def test_the_same_people_in_another_order_and_other_pages_are_the_same_input() -> None:
    people = [person(n) for n in range(6)]
    with serving(paged(people[:3], people[3:])) as server:
        first = read(f"{server.url}/people", **PAGED)
    with serving(paged(people[4:], people[:4])) as server:
        second = read(f"{server.url}/people", **PAGED)

    assert first.rows == second.rows


def test_a_next_that_no_page_has_is_said() -> None:
    with serving(paged([person(1)], [person(2)], name="following")) as server:
        reading = read(f"{server.url}/people", **PAGED)
    with serving(paged([person(1)])) as server:
        last = read(f"{server.url}/people", **PAGED)

    assert reading.only_page == (
        'one page read, and no key "links.next" in it: the rest of the list may be missing; correct next'
    )
    assert last.only_page is None  # its "next" is null


def test_keys_with_a_dot_of_their_own_are_found_before_paths() -> None:
    def answer(asked: Asked) -> Said:
        place = int(asked.query.get("page", "1"))
        following = {"@odata.nextLink": f"/people?page={place + 1}"} if place < 3 else {}
        return as_json({"data": {"x": 1}, "data.people": [person(place)], "@odata.context": "about", **following})

    with serving(answer) as server:
        reading = read(f"{server.url}/people", items="data.people", next="@odata.nextLink")

    assert reading.ids() == ["P001", "P002", "P003"]
    assert reading.only_page is None


def test_a_dotted_key_within_an_object_is_found_too() -> None:
    def answer(asked: Asked) -> Said:
        more = {} if asked.query else {"@odata.nextLink": "/people?page=2"}
        return as_json({"d": {"people.list": [person(2 if asked.query else 1)], **more}, "d.y": 1})

    with serving(answer) as server:
        reading = read(f"{server.url}/people", items="d.people.list", next="d.@odata.nextLink")

    assert reading.ids() == ["P001", "P002"]


def test_two_lists_that_items_could_mean_refuse_the_source() -> None:
    with serving(lambda asked: as_json({"d": {"people": [person(1)]}, "d.people": [person(2)]})) as server:
        assert '"d" and "d.people" could both be meant' in refusal(server.url, items="d.people")


def test_secrets_are_sent_to_the_service_and_come_from_the_environment() -> None:
    with serving(lambda asked: as_json([person(1)])) as server:
        read(server.url, token_env="TOKEN")

    assert server.log[0].headers["Authorization"] == f"Bearer {TOKEN}"


# Signing in


def signing_in(pages: Callable[[Asked], Said], *, lasts: int = 1000) -> Callable[[Asked], Said]:
    """A service whose every token is good for ``lasts`` requests."""
    given_out: list[str] = []
    used: list[str] = []

    def answer(asked: Asked) -> Said:
        if asked.path == "/token":
            wanted = base64.b64encode(f"monitor:{SECRET}".encode()).decode()
            if (
                asked.headers.get("Authorization") != f"Basic {wanted}"
                or "grant_type=client_credentials" not in asked.body
            ):
                return as_json({"error": "invalid_client", "error_description": f"bad {SECRET}"}, 401)
            given_out.append(f"token-{len(given_out)}")
            return as_json({"access_token": given_out[-1], "token_type": "Bearer", "expires_in": 3600})
        token = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        used.append(token)
        if not given_out or token != given_out[-1] or used.count(token) > lasts:
            return as_json({"error": "expired", "token": token}, 401)
        return pages(asked)

    return answer


def sign_in(server: Server, **other: Any) -> dict[str, Any]:
    names = {"client_id_env": "ID", "client_secret_env": "SECRET"}
    return {"token_url": f"{server.url}/token", **names, **PAGED, **other}


def test_the_monitor_signs_in_once_with_client_credentials() -> None:
    with serving(signing_in(paged([person(1)], [person(2)]))) as server:
        reading = read(f"{server.url}/people", **sign_in(server, scope="people.read"))

    assert reading.ids() == ["P001", "P002"]
    assert [asked.path for asked in server.log] == ["/token", "/people", "/people"]
    assert "scope=people.read" in server.log[0].body


def test_a_token_that_expires_half_way_is_renewed() -> None:
    pages = [[person(n)] for n in range(1, 6)]
    with serving(signing_in(paged(*pages), lasts=2)) as server:
        reading = read(f"{server.url}/people", **sign_in(server))

    assert reading.ids() == ["P001", "P002", "P003", "P004", "P005"]
    assert [asked.path for asked in server.log].count("/token") == 3


def test_a_new_token_that_is_not_accepted_either_refuses_the_source() -> None:
    with serving(signing_in(paged([person(1)]), lasts=0)) as server:
        said = refusal(f"{server.url}/people", **sign_in(server))

    assert said == (
        'source "case-api": 127.0.0.1 did not accept the credentials (401); check the variables that the _env keys name'
    )
    assert [asked.path for asked in server.log].count("/token") == 2


def test_a_wrong_client_secret_is_named_by_its_variable() -> None:
    with serving(signing_in(paged([person(1)]))) as server:
        said = refusal(f"{server.url}/people", **sign_in(server, client_secret_env="TOKEN"))

    assert "the sign-in at 127.0.0.1 refused the client id or secret (invalid_client)" in said
    assert "check what ID and TOKEN hold" in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (as_json({"token": "elsewhere"}), "the sign-in at 127.0.0.1 gave no token; check token_url"),
        (as_json({"access_token": "two\r\nlines"}), "gave no token"),
        (Said(b"<html>"), "gave no token"),
        (Said(b"[" * 50_000), "gave no token"),
        (Said(b"x" * 70_000), "answers at great length"),
        (Said(b"", 404), "the sign-in at 127.0.0.1 is not there (404); correct token_url"),
        (Said(b"", 503), "answered 503 to the sign-in, which is busy or out of order (tried 5 times)"),
    ],
)
def test_a_sign_in_that_gives_no_token_refuses_the_source(answer: Said, words: str) -> None:
    with serving(lambda asked: answer) as server:
        said = refusal(f"{server.url}/people", **sign_in(server))

    assert words in said


@pytest.mark.parametrize("held", ["", "  ", "two\nlines", "caf\u00e9"])
def test_a_token_that_is_not_there_or_is_none_is_named_by_its_variable(held: str) -> None:
    source = Source(name="case-api", kind="http", http=Http(url="https://nowhere.invalid/", token_env="API_TOKEN"))

    with pytest.raises(SourceError, match=r"token_env: .*API_TOKEN") as refused:
        http.load(open_workspace(), "extract", source, SourceContext(NIGHT, environ={"API_TOKEN": held}))

    assert "lines" not in str(refused.value)


# What goes wrong on the line


def test_a_refused_connection_is_tried_again_with_growing_waits() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        reading = Reading()
        with pytest.raises(SourceError) as refused:
            read(f"http://127.0.0.1:{port}/people?key=hidden", reading)

    assert "page 1: connection refused by 127.0.0.1" in str(refused.value)
    assert "(tried 5 times)" in str(refused.value)
    assert len(reading.waits) == 4
    assert all(base <= wait <= base + 1 for base, wait in zip((1, 2, 4, 8), reading.waits, strict=True))


def test_an_unknown_host_is_said() -> None:
    said = refusal("https://nowhere.invalid/people?key=hidden", retries=0)

    assert said == 'source "case-api": page 1: unknown host nowhere.invalid; correct url, or check the name service'


def certificate(*names: str) -> tuple[trustme.CA, ssl.SSLContext]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return authority, context


def test_a_private_authority_named_in_the_config_is_trusted(tmp_path: Path) -> None:
    authority, context = certificate("localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(lambda asked: as_json([person(1)]), context) as server:
        reading = read(server.url, ca_file=tmp_path / "ca.pem")

    assert reading.ids() == ["P001"]


def test_a_certificate_that_does_not_verify_refuses_the_source_at_once(tmp_path: Path) -> None:
    _, context = certificate("localhost")
    with serving(lambda asked: as_json([person(1)]), context) as server:
        unknown = refusal(server.url)
    authority, context = certificate("elsewhere.example.gov.uk")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(lambda asked: as_json([person(1)]), context) as server:
        misnamed = refusal(server.url, ca_file=tmp_path / "ca.pem")

    assert "the certificate of localhost is signed by an authority that this machine does not know" in unknown
    assert "name the authority's certificate in network.ca_file, or in ca_file of the source" in unknown
    assert "the certificate of localhost is made out to another name" in misnamed
    assert "tried" not in unknown + misnamed


def test_a_service_without_tls_is_said() -> None:
    with serving(lambda asked: as_json([person(1)])) as server:
        said = refusal(server.url.replace("http://127.0.0.1", "https://localhost"))

    assert "localhost does not speak TLS there" in said


def test_no_answer_in_time_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = refusal(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_seconds=1, retries=0)

    assert "no answer from 127.0.0.1 within 1 seconds" in said


# What the service answers


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "did not accept the credentials (401)"),
        (403, "does not allow this account to read the list (403)"),
        (404, "has nothing at that address (404); correct url"),
        (302, "sends the reader elsewhere (302)"),
        (418, "answered 418"),
        (204, "answered 204"),
    ],
)
def test_an_answer_that_waiting_cannot_change_refuses_at_once(status: int, words: str) -> None:
    elsewhere = {"Location": f"/sign-in?{SECRET}"}
    with serving(lambda asked: Said(SECRET.encode() * (status != 204), status, elsewhere)) as server:
        said = refusal(f"{server.url}/people?key=hidden", token_env="TOKEN")

    assert words in said
    assert len(server.log) == 1


def test_a_service_that_recovers_is_read_whole_and_once() -> None:
    def answer(asked: Asked) -> Said:
        if asked.query.get("page") == "2" and asked.nth < 3:
            return as_json({"error": "sorry"}, 500)
        return paged([person(1)], [person(2)], [person(3)])(asked)

    with serving(answer) as server:
        reading = read(f"{server.url}/people", **PAGED)

    assert reading.ids() == ["P001", "P002", "P003"]
    assert len(reading.waits) == 2


@pytest.mark.parametrize("said_as", ["seconds", "date"])
def test_the_wait_that_a_busy_service_asks_for_is_kept(said_as: str) -> None:
    # The service's clock is wrong by years, which must not matter.
    until = format_datetime(dt.datetime(2031, 1, 5, 3, 0, 7, tzinfo=dt.UTC), usegmt=True)

    def answer(asked: Asked) -> Said:
        if asked.nth == 1:
            clock = {"Date": "Sun, 05 Jan 2031 03:00:00 GMT"}
            return Said(b"", 429, {"Retry-After": "7" if said_as == "seconds" else until, **clock})
        return as_json([person(1)])

    with serving(answer) as server:
        reading = read(server.url)

    assert reading.waits == [7.0]
    assert reading.ids() == ["P001"]


def test_a_wait_of_an_hour_is_not_waited_for() -> None:
    with serving(lambda asked: Said(b"", 429, {"Retry-After": "3600"})) as server:
        said = refusal(server.url)

    assert "asks to wait 3600 seconds; run again later" in said
    assert len(server.log) == 1


def test_a_page_that_fails_refuses_the_whole_source() -> None:
    def answer(asked: Asked) -> Said:
        broken = asked.query.get("page") == "3"
        return as_json({}, 500) if broken else paged(*[[person(n)] for n in range(5)])(asked)

    with serving(answer) as server:
        said = refusal(f"{server.url}/people", **PAGED)

    assert "page 3: 127.0.0.1 answered 500" in said
    assert max(int(asked.query.get("page", "1")) for asked in server.log) == 3


def test_a_page_that_breaks_off_is_read_again_and_nothing_of_it_twice() -> None:
    whole = json.dumps([person(n) for n in range(25_000)]).encode()

    def answer(asked: Asked) -> Said:
        return Said(whole[:-400_000], promised=len(whole)) if asked.nth == 1 else as_json(whole)

    with serving(answer) as server:
        reading = read(server.url)

    assert len(reading.rows) == len(set(reading.ids())) == 25_000
    assert len(reading.waits) == 1


def test_a_page_that_always_breaks_off_refuses_the_source() -> None:
    with serving(lambda asked: Said(b'[{"person_id": "P1"}', promised=1000)) as server:
        said = refusal(server.url, retries=1)

    assert "127.0.0.1 broke the connection off (tried 2 times)" in said


# What the body holds


@pytest.mark.parametrize(
    ("body", "settings", "words"),
    [
        (b'[{"person_id": "P1"', {}, "not valid JSON, or cut short"),
        (b'[{"person_id": "P1"} {"person_id": "P2"}]', {}, "not valid JSON"),
        (b'[{"person_id": NaN}]', {}, "NaN is no JSON value"),
        (b'[{"person_id": "P1"}] trailing', {}, "not valid JSON"),
        (b"[" * 100_000, {}, "not valid JSON"),
        (b"", {}, "not valid JSON"),
        (b"   ", {}, "not valid JSON"),
        (b"\xff\xfe[]", {}, "not text in UTF-8"),
        (b"[]", {}, "no items"),
        (b"[1, 2]", {}, "item 1 is not an object"),
        (b'"people"', {}, "not valid JSON"),
        (b'{"data": [], "meta": 1}', {}, 'set items to the key that holds the list (its keys: "data", "meta")'),
        (b'{"data": []}', {"items": "people"}, 'no key "people"; correct items'),
        (b'{"data": {"rows": []}}', {"items": "data.people"}, 'no key "data.people"'),
        (b'{"people": {"1": 2}}', {"items": "people"}, 'no list under "people"'),
        (b'{"people": null}', {"items": "people"}, 'no list under "people"'),
        (b"[]", {"items": "people"}, "a list from its first character; leave items out"),
        (b'{"people": [{"person_id": 1}],}', {"items": "people"}, "not valid JSON"),
        (b'{"people": [{"person_id": 1},]}', {"items": "people"}, "not valid JSON"),
        (b'[{"name": "x"}]', {}, "no heading for person_id or date_of_birth"),
        (b'[{"person_id": 1, "dob": "x", "DOB": "y"}]', {}, 'the headings "dob" and "DOB" both mean date_of_birth'),
        (b"person_id,person_id\n1,2\n", {"format": "csv"}, "two columns have the same heading"),
        (b"person_id,dob\n1,2,3\n", {"format": "csv"}, "line 2: 3 cells under 2 headings"),
        (b'person_id,dob\n"1,2\n', {"format": "csv"}, "not CSV, or cut short"),
        (b"person_id,dob\n", {"format": "csv"}, "no items"),
    ],
)
def test_a_body_that_is_no_list_of_people_refuses_the_source(body: bytes, settings: dict[str, Any], words: str) -> None:
    with serving(lambda asked: Said(body)) as server:
        said = refusal(f"{server.url}?key=hidden", **settings)

    assert words in said
    assert len(server.log) == 1


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json"])
def test_a_web_page_instead_of_a_list_is_known_for_one(kind: str) -> None:
    page = f"\r\n<!doctype html><title>Sign in {SECRET}</title>".encode()
    with serving(lambda asked: Said(page, headers={"Content-Type": kind})) as server:
        said = refusal(server.url)

    assert "a web page and not JSON, most likely one for signing in; check url and the credentials" in said


def test_a_next_page_that_was_read_before_is_not_read_for_ever() -> None:
    def answer(asked: Asked) -> Said:
        return as_json({"data": {"people": [person(1)]}, "links": {"next": "/people?page=2"}})

    with serving(answer) as server:
        said = refusal(f"{server.url}/people", **PAGED)

    assert "page 2 names a page read before as its next one" in said
    assert len(server.log) == 2


def test_pages_without_end_stop_at_the_limit() -> None:
    def answer(asked: Asked) -> Said:
        following = int(asked.query.get("page", "1")) + 1
        return as_json({"data": {"people": []}, "links": {"next": f"?page={following}"}})

    with serving(answer) as server:
        said = refusal(f"{server.url}/people", most_pages=7, **PAGED)

    assert "more than 7 pages; raise most_pages if that is right" in said
    assert len(server.log) == 7


@pytest.mark.parametrize(
    "elsewhere", ["https://127.0.0.1/people", "http://127.0.0.1:9/people", "//other.example/", {"a": 1}]
)
def test_the_token_goes_to_no_other_host(elsewhere: object) -> None:
    following = {"data": {"people": [person(1)]}, "links": {"next": elsewhere}}
    with serving(lambda asked: as_json(following)) as server:
        said = refusal(f"{server.url}/people", token_env="TOKEN", retries=0, **PAGED)

    assert "its next page is at another host" in said or "is no address" in said or "nothing at that address" in said
    assert "other.example" not in said


def endless(start: bytes, piece: bytes) -> Iterator[bytes]:
    yield start
    while True:
        yield piece


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"[", json.dumps(person(1)).encode() + b"," + b" " * 8000),
        (b'[{"person_id": "', b"x" * 65_536),
        (b"", b" " * 65_536),
        (b"[" + b"\n" * 10, b"\n" * 65_536),
    ],
)
def test_a_body_without_end_stops_at_the_limit(start: bytes, piece: bytes) -> None:
    with serving(lambda asked: Said(endless(start, piece))) as server:
        said = refusal(server.url, largest_megabytes=6)

    assert "over 6 MB in all; raise largest_megabytes" in said or "not valid JSON" in said


def test_a_csv_line_without_end_stops() -> None:
    with serving(lambda asked: Said(endless(b"person_id,dob\n", b"x" * 65_536))) as server:
        said = refusal(server.url, format="csv")

    assert "a line too long to be one of a list" in said


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.lists(JSON_VALUES, max_size=6),
    st.dictionaries(st.text(), JSON_VALUES, max_size=3),
    st.integers(1, 7),
    st.sampled_from([None, 1]),
)
def test_a_document_in_pieces_of_any_size_gives_what_it_holds(
    items: list[Any], beside: dict[str, Any], size: int, indent: int | None
) -> None:
    beside.pop("people", None)
    text = json.dumps({**beside, "people": items, "after": 1}, indent=indent)
    expected = json.loads(text, parse_int=str)
    document = Document((text[n : n + size] for n in range(0, len(text), size)), keep=".".join(["after", *beside]))

    got = list(document.items("people"))

    assert got == expected["people"]
    assert document.beside == {key: value for key, value in expected.items() if key != "people"}


@given(st.lists(st.dictionaries(st.text(), st.integers(), max_size=3), min_size=1, max_size=4), st.data())
def test_a_document_cut_short_anywhere_is_never_taken_for_a_whole_one(items: list[Any], data: st.DataObject) -> None:
    text = json.dumps(items)
    cut = data.draw(st.integers(0, len(text) - 1))

    with pytest.raises(NotReadable):
        list(Document(iter([text[:cut]])).items(""))


# The config, and a whole night


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('url = "http://cms.example.gov.uk/people"', "http.url: must begin with https://"),
        ('url = "https://name:password@cms.example.gov.uk/"', "http.url: holds a user or a password"),
        ('url = "cms.example.gov.uk"', "http.url: not a web address"),
        ('url = "https://cms.example.gov.uk/#people"', "http.url: holds a #"),
        ('url = "https://[::1/"', "http.url: not a web address"),
        ('token_url = "https://a.example/t"', "token_url, client_id_env and client_secret_env go together"),
        ('scope = "read"', "scope: only goes with token_url"),
        ('format = "csv"\nitems = "people"', "items: csv has no keys"),
        ('format = "csv"\nnext = "links.next"', 'next: csv has no keys; write "header"'),
        ('verify = false', "http.verify: unknown key"),
        ('ca_file = "none.pem"', "http.ca_file: no file"),
    ],
)  # fmt: skip
def test_each_mistake_in_the_settings_says_what_would_be_right(tmp_path: Path, table: str, words: str) -> None:
    url = "" if table.startswith("url") else 'url = "https://cms.example.gov.uk/people"\n'
    path = tmp_path / "monitor.toml"
    path.write_text(f'[[sources]]\nname = "case-api"\nkind = "http"\n[sources.http]\n{url}{table}\n', encoding="utf-8")

    with pytest.raises(Problems) as refused:
        load_config(path)

    assert words in str(refused.value)


def test_a_source_of_this_kind_needs_its_table(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"
    path.write_text('[[sources]]\nname = "case-api"\nkind = "http"\n', encoding="utf-8")

    with pytest.raises(Problems, match=r"http: missing; .* needs a \[sources.http\] table"):
        load_config(path)


def test_a_ca_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")

    assert "holds no certificate in PEM form" in refusal("https://nowhere.invalid/", ca_file=tmp_path / "ca.pem")


def council_with_api(tmp_path: Path, url: str) -> Council:
    council = Council(tmp_path)
    with council.config_path.open("a", encoding="utf-8") as config:
        config.write(
            '[[sources]]\nname = "case-api"\nkind = "http"\nrole = "detail"\n'
            f'[sources.http]\nurl = "{url}"\nretries = 0\n'
        )
    return council


def test_a_night_whose_service_fails_changes_nothing_and_tells_the_analyst_alone(tmp_path: Path) -> None:
    broken: list[bool] = []
    people = [{"person_id": "C001", "local_offer_date": "2026-01-01"}]
    with serving(lambda asked: as_json({}, 500) if broken else as_json(people)) as server:
        council = council_with_api(tmp_path, f"{server.url}/people")
        council.night(NIGHT, crowd(10))
        flags = council.flags()
        broken.append(True)

        with pytest.raises(SourceError) as refused:
            council.night(NIGHT + dt.timedelta(1), crowd(10, plan=""))

    assert refused.value.exit_code == 3
    assert council.flags() == flags
    (mail,) = council.mail(NIGHT + dt.timedelta(1))
    assert mail.to == "analyst@example.gov.uk"
    assert "127.0.0.1 answered 500" in mail.text


def test_a_night_of_one_page_that_should_have_more_is_refused_until_somebody_accepts_it(tmp_path: Path) -> None:
    people = [{"person_id": "C001", "local_offer_date": "2026-01-01"}]
    with serving(lambda asked: as_json({"value": people})) as server:
        council = council_with_api(tmp_path, f'{server.url}"\nitems = "value"\nnext = "@odata.nextLink')
        with pytest.raises(NotBelieved, match=r'case-api: one page read, and no key "@odata.nextLink" in it.*--accept'):
            council.night(NIGHT, crowd(10))
        council.night(NIGHT, accept="one page is all there is", by="A. Analyst")
        assert council.night(NIGHT + dt.timedelta(1)).verdict.word == "trusted"


def test_what_a_service_supplies_joins_the_night_as_any_source_does() -> None:
    workspace = open_workspace()
    with serving(lambda asked: as_json([person(1, accommodation="S2"), person(2, in_touch="MAYBE")])) as server:
        source = Source(name="case-api", kind="http", http=Http(url=server.url))
        loaded = http.load(workspace, "extract", source, SourceContext(NIGHT))
    extract = Extract("case-api", "http", "127.0.0.1", None, "extract", loaded.headings, "", None, notes=loaded.notes)

    intake = type_rows(workspace, [extract], as_at=NIGHT, names=CouncilNames())

    rows = fetch(
        workspace, "SELECT person_id, in_touch_gap, accommodation, accommodation_suitable FROM tonight ORDER BY ALL"
    )
    assert [tuple(row.values()) for row in rows] == [("P001", None, "S", False), ("P002", "unreadable", None, None)]
    assert 'case-api: 1 of 2 items have no "accommodation"; read as blank' in intake.notes
