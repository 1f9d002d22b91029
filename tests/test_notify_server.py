"""The Notify of the tests is as strict as its contract says, in the contract's own order."""

import base64
import time
from typing import Any

import httpx
import jwt
import pytest
from support.servers.notify import SECRET, SERVICE, TEMPLATE, Knobs, NotifyServer, notify_server

TOO_LARGE = base64.b64encode(b"x" * (2 * 1024 * 1024 + 1025)).decode()
FILE = {"file": base64.b64encode(b"a,b").decode(), "filename": "a.csv"}


def token(*, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    usual: dict[str, Any] = {"iss": SERVICE, "iat": int(time.time())}
    return jwt.encode({name: value for name, value in (usual | claims).items() if value is not None}, secret, algorithm)


def post(
    server: NotifyServer, *, header: str | None = None, raw: bytes | None = None, **content: Any
) -> httpx.Response:
    usual = {
        "email_address": "lead@example.gov.uk", "template_id": TEMPLATE,
        "personalisation": {"subject": "S", "body": "B"}, "reference": "k1",
    }  # fmt: skip
    body = {name: value for name, value in (usual | content).items() if value is not None}
    headers = {"Authorization": header if header is not None else f"Bearer {token()}"}
    url = f"{server.url}/v2/notifications/email"
    return (
        httpx.post(url, headers=headers, content=raw)
        if raw is not None
        else httpx.post(url, headers=headers, json=body)
    )


def get(server: NotifyServer, path: str = "", **query: str) -> httpx.Response:
    headers = {"Authorization": f"bearer {token()}"}
    return httpx.get(f"{server.url}/v2/notifications{path}", headers=headers, params=query)


def test_a_message_that_is_right_is_taken_and_answered_as_notify_does():
    with notify_server() as server:
        answer = post(server)

    assert answer.status_code == 201
    assert answer.json()["id"] == server.sent[0].id
    assert answer.json()["content"]["subject"] == "S"
    assert (answer.json()["reference"], answer.json()["scheduled_for"]) == ("k1", None)


@pytest.mark.parametrize(
    ("header", "status", "words"),
    [
        ("", 401, "authentication token must be provided"),
        (f"Basic {token()}", 401, "bearer scheme must be used"),
        (f"Bearer {token(iat=int(time.time()) - 31 - 600)}", 403, "system clock must be accurate"),
        (f"Bearer {token(iat=int(time.time()) + 86_400)}", 403, "system clock must be accurate"),
        (f"Bearer {token(algorithm='HS512', secret=SECRET * 2)}", 403, "not HS256"),
        (f"Bearer {token(secret='another-secret-that-is-long-enough-to-sign')}", 403, "API key not found"),
        (f"Bearer {token(iss=None)}", 403, "iss field not provided"),
        (f"Bearer {token(iss='me')}", 403, "not the right data type"),
        (f"Bearer {token(exp=int(time.time()) + 60)}", 403, "claims"),
    ],
)
def test_who_is_asking_is_checked_before_anything_else(header, status, words):
    with notify_server(Knobs(bucket=0)) as server:
        answer = post(server, header=header, raw=b"not json")

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["error"]) == (status, "AuthError")
    assert words in error["message"]


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        ({"raw": b"{"}, "BadRequestError", ["Invalid JSON supplied in POST data"]),
        (
            {"template_id": None, "email_address": "nobody", "colour": 1},
            "ValidationError",
            [
                "template_id is a required property",
                "email_address Not a valid email address",
                "Additional properties are not allowed (colour was unexpected)",
            ],
        ),
        ({"template_id": "7"}, "ValidationError", ["template_id is not a valid UUID"]),
        ({"template_id": SERVICE}, "BadRequestError", ["Template not found"]),
        ({"personalisation": {"subject": "S"}}, "BadRequestError", ["Missing personalisation: body"]),
        ({"personalisation": {"subject": "S", "body": " "}}, "BadRequestError", ["Your message is empty."]),
        (
            {"personalisation": {"subject": "S", "body": "B", "list": FILE | {"is_csv": True}}},
            "ValidationError",
            ["filename must not be set together with is_csv"],
        ),
        (
            {"personalisation": {"subject": "S", "body": "B", "list": FILE | {"retention_period": "79 weeks"}}},
            "ValidationError",
            ["retention_period must be between 1 and 78 weeks"],
        ),
        (
            {"personalisation": {"subject": "S", "body": "B", "list": FILE | {"file": "~"}}},
            "BadRequestError",
            ["Document is not base64 encoded"],
        ),
        (
            {"personalisation": {"subject": "S", "body": "B", "list": FILE | {"filename": "a.exe"}}},
            "BadRequestError",
            ["Unsupported file type exe"],
        ),
        (
            {"personalisation": {"subject": "S", "body": "B", "list": {"file": TOO_LARGE}}},
            "BadRequestError",
            ["Uploaded file exceeds file size limit"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_message_is_said_in_notifys_words(content, kind, words):
    with notify_server() as server:
        answer = post(server, **content)

    assert answer.status_code == 400
    assert [error["message"] for error in answer.json()["errors"]] == words
    assert {error["error"] for error in answer.json()["errors"]} == {kind}
    assert server.sent == []


def test_limits_come_before_what_the_message_says():
    with notify_server(Knobs(bucket=1, day_limit=1)) as server:
        first, second = post(server), post(server, raw=b"{")
        server.knobs.bucket = None
        third = post(server, raw=b"{")

    assert first.status_code == 201
    assert (second.status_code, second.json()["errors"][0]["error"]) == (429, "RateLimitError")
    assert (third.status_code, third.json()["errors"][0]["error"]) == (429, "TooManyRequestsError")


def test_the_list_is_by_reference_newest_first_in_pages_and_as_late_as_it_is_told_to_be():
    with notify_server(Knobs(page_size=2)) as server:
        for _ in range(3):
            post(server)
        post(server, reference="other")
        page = get(server, reference="k1", template_type="email").json()
        rest = httpx.get(page["links"]["next"], headers={"Authorization": f"Bearer {token()}"}).json()
        server.knobs.seen_after_seconds = 60
        late = get(server, reference="k1").json()
        strange = get(server, limit="5")

    assert [one["id"] for one in page["notifications"]] == [server.sent[2].id, server.sent[1].id]
    assert [one["id"] for one in rest["notifications"]] == [server.sent[0].id]
    assert (late["notifications"], "next" in late["links"]) == ([], False)
    assert strange.status_code == 400


def test_a_message_is_found_by_its_id_with_the_status_of_its_script():
    with notify_server(Knobs(script={"lead@example.gov.uk": ["created", "sending", "permanent-failure"]})) as server:
        post(server)
        path = f"/{server.sent[0].id}"
        said = [get(server, path).json()["status"] for _ in range(4)]
        unknown = get(server, f"/{TEMPLATE}")
        bad = get(server, "/7")

    assert said == ["created", "sending", "permanent-failure", "permanent-failure"]
    assert (unknown.status_code, unknown.json()["errors"][0]["error"]) == (404, "NoResultFound")
    assert bad.status_code == 400


def test_a_connection_can_be_cut_after_the_message_was_taken():
    with notify_server(Knobs(drop_after_accepting=1)) as server:
        with pytest.raises(httpx.TransportError):
            post(server)
        again = post(server)

    assert (len(server.sent), again.status_code) == (2, 201)
