"""Delivery through GOV.UK Notify: the text through a template, the list by a link, receipts asked for afterwards.

Notify takes the same message twice if it is asked twice, so what may have been taken is looked up by its reference
before anything else. Answers are told apart by status and kind, never by their words. Nothing of an answer is kept
but its numbers: its body may hold an address, and a link that opens the list.
"""

import base64
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import jwt

from monitor.config.delivery_settings import Notify
from monitor.delivery.envelope import Envelope, Receipt, check_addressed
from monitor.delivery.notify_text import write_for_notify
from monitor.errors import DeliveryError, DoubtfulRefusal, Problems
from monitor.network import http_client
from monitor.network.line_faults import Outside, explain_line
from monitor.network.policy import Network, NotUsable

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
API_KEY = re.compile(rf".*-(?P<service>{UUID})-(?P<secret>{UUID})", re.DOTALL)
CLOCK_MAY_BE_OFF = 30
"""Seconds."""
LARGEST_BODY = 1_900_000
"""Bytes; Notify lets 2,000,000 through, with its own HTML around them."""
LARGEST_LIST = 2 * 1024 * 1024
TEXT_WIDTH = 78
MARGIN = timedelta(seconds=30)
"""Beyond the timeout, before a message that may have gone is asked about: a list shows what is new a little late."""
FINAL = ("delivered", "permanent-failure", "temporary-failure", "technical-failure")
PLACE = "GOV.UK Notify"
NOT_ITS_FORM = (ValueError, KeyError, TypeError, RecursionError)
"""What reading an answer raises that is not Notify's: of a proxy, or cut short, or brackets without end."""

REMEDIES = (
    ("Template not found", "template_id names no template of this service"),
    ("Template has been deleted", "the template has been deleted"),
    ("template is not suitable", "template_id names a template that is not for e-mail"),
    ("Missing personalisation", "the template wants more than ((subject)), ((body)) and, with attach_list, ((list))"),
    ("team-only API key", "the key is for the team alone, and this address is not of the team"),
    ("trial mode", "the service is in trial mode, and this address is not of its team"),
    ("Send files by email has not been set up", 'the service has no contact details for "send files by email"'),
    ("email_address", "the address is not one that Notify takes"),
    ("email_reply_to_id", "reply_to_id names no reply-to address of this service"),
    ("API key revoked", "the API key has been revoked"),
    ("API key not found", "the API key is not one of this service's"),
    ("Service is not allowed to send emails", "the service may not send e-mail"),
    ("service is archived", "the service has been archived"),
)
"""Words of Notify's by which a reason can be told to a person; nothing is decided by them."""


class NotifyChannel:
    """One connection to Notify, as one of its services."""

    name = "notify"
    idempotent = False
    at_once = 1
    """It answers, or does not, within ``timeout_seconds``."""

    def __init__(self, settings: Notify, network: Network) -> None:
        """Raises ``Problems`` when there is no key, or it is not one."""
        self._settings = settings
        self._network = network
        self._service, self._secret = _read_key(settings, network.environ)
        self._client: httpx.Client | None = None

    @property
    def _outside(self) -> Outside:
        host = httpx.URL(self._settings.base_url).host
        return Outside(host, "delivery.notify.base_url", "delivery.notify.timeout_seconds")

    @property
    def tracing(self) -> "NotifyChannel":
        return self

    @property
    def ask_after(self) -> timedelta:
        return timedelta(seconds=self._settings.timeout_seconds) + MARGIN

    def send(self, envelope: Envelope) -> Receipt:
        """Hand the message to Notify; raises ``DeliveryError``.

        Ambiguous: no answer after the request had gone, or one that does not say what became of it. It stops the rest
        where the answer is about the key, the clock, the limits or an outage. Permanent: this message was refused.
        """
        check_addressed(envelope)
        request = self._request(envelope)
        try:
            answer = self._call("POST", "/v2/notifications/email", json=request)
        except httpx.HTTPError as fault:
            line = explain_line(fault, self._outside)
            if not line.may_have_gone:
                raise DeliveryError(f"{PLACE}: {line.words}", stops=True) from None
            raise DeliveryError(f"{PLACE}: {line.words}; it may have been accepted", ambiguous=True) from None
        if answer.status_code == 201 and (number := _id_of(answer)):
            return Receipt("201", number, "sending")
        if answer.status_code < 400 or answer.status_code >= 500:
            raise DeliveryError(
                f"{PLACE}: answered {answer.status_code}, which does not say whether it took the message; "
                "it will be asked",
                ambiguous=True,
            )
        raise self._refused(answer)

    def look_up(self, key: str) -> Receipt | None:
        answer = self._get("/v2/notifications", {"reference": key, "template_type": "email"})
        if answer.status_code != 200:
            raise self._refused(answer)
        try:
            found = answer.json()["notifications"]
            ours = [one for one in found if one["reference"] == key]
            if not ours:
                return None
            return Receipt("found by its reference", str(ours[0]["id"]), _state(ours[0]["status"]) or "sending")
        except NOT_ITS_FORM:
            raise _odd(answer) from None

    def ask(self, receipt: str) -> str | None:
        answer = self._get(f"/v2/notifications/{receipt}", {})
        if answer.status_code == 404 and _kinds(answer) == ["NoResultFound"]:
            return None
        if answer.status_code != 200:
            raise self._refused(answer)
        try:
            return _state(answer.json()["status"])
        except NOT_ITS_FORM:
            raise _odd(answer) from None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _request(self, envelope: Envelope) -> dict[str, Any]:
        settings = self._settings
        body = write_for_notify(envelope.text, TEXT_WIDTH)
        if len(body.encode()) > LARGEST_BODY:
            raise DeliveryError(
                f"message {envelope.key}: is larger than {PLACE} takes ({LARGEST_BODY:,} bytes)", permanent=True
            )
        personalisation: dict[str, Any] = {"subject": envelope.subject, "body": body}
        if settings.attach_list:
            personalisation["list"] = self._list(envelope)
        request = {
            "email_address": envelope.recipient,
            "template_id": settings.template_id,
            "personalisation": personalisation,
            "reference": envelope.key,
        }
        if settings.reply_to_id and not envelope.for_head_alone:
            request["email_reply_to_id"] = settings.reply_to_id
        return request

    def _list(self, envelope: Envelope) -> dict[str, Any] | str:
        """Return the list as a file that Notify keeps behind a link; words where there is none, or too much of it."""
        if envelope.attached is None:
            return "No list goes with this message."
        content = envelope.attached.encode("utf-8-sig")
        if len(content) > LARGEST_LIST:
            return "The list is too long to send; ask for it where the exception lists are kept."
        weeks = self._settings.retention_weeks
        return {
            "file": base64.b64encode(content).decode(),
            "filename": f"leaving-care-{envelope.as_at.isoformat()}.csv",
            "confirm_email_before_download": self._settings.confirm_email_before_download,
            "retention_period": f"{weeks} week{'s' if weeks > 1 else ''}",
        }

    def _get(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        try:
            return self._call("GET", path, params=query)
        except httpx.HTTPError as fault:
            raise DeliveryError(f"{PLACE}: {explain_line(fault, self._outside).words}", stops=True) from None

    def _call(self, method: str, path: str, **content: Any) -> httpx.Response:
        if self._client is None:
            self._client = self._open_client()
        claims = {"iss": self._service, "iat": int(time.time())}
        token = jwt.encode(claims, self._secret, algorithm="HS256")
        return self._client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **content)

    def _open_client(self) -> httpx.Client:
        try:
            return http_client.make_client(
                self._settings.base_url,
                self._network,
                timeout_seconds=self._settings.timeout_seconds,
                headers={"User-Agent": "care-leaver-monitor"},
            )
        except NotUsable as fault:
            raise DeliveryError(f"{PLACE}: {fault}", stops=True) from None

    def _refused(self, answer: httpx.Response) -> DeliveryError:
        """Return what an answer that is not a success means; Notify's own words go no further than ``REMEDIES``."""
        status, kinds = answer.status_code, _kinds(answer)
        if not kinds or status >= 500 or status not in (400, 401, 403, 429):
            return _odd(answer)
        said = f"{status} {kinds[0]}"
        if status == 429:
            return _over_limit(said, daily="TooManyRequestsError" in kinds)
        if status == 400:
            remedy = _remedy(answer) or "see the service's settings, and the address"
            return DoubtfulRefusal(f"{PLACE}: refused the message ({said}): {remedy}")
        where = self._settings.api_key_env or self._settings.api_key_file
        remedy = _clock_remedy(answer) or f"{_remedy(answer) or 'the API key was not accepted'}; check {where}"
        return DeliveryError(f"{PLACE}: will take nothing from us ({said}): {remedy}", stops=True)


def _read_key(settings: Notify, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the service's id and the secret to sign with."""
    if settings.api_key_env is not None:
        place, key = "delivery.notify.api_key_env", environ.get(settings.api_key_env, "").strip()
        if not key:
            raise Problems([f"{place}: the environment has no {settings.api_key_env}; set it before starting"])
        where = settings.api_key_env
    else:
        place, where = "delivery.notify.api_key_file", str(settings.api_key_file)
        try:
            key = settings.api_key_file.read_text(encoding="utf-8-sig").strip() if settings.api_key_file else ""
        except (OSError, UnicodeDecodeError) as fault:
            raise Problems([f"{place}: {where} cannot be read ({type(fault).__name__})"]) from None
    parts = API_KEY.fullmatch(key)
    if parts is None:
        raise Problems(
            [f"{place}: {where} does not hold an API key of {PLACE}, which ends in two UUIDs; copy it whole"]
        )
    return parts["service"], parts["secret"]


def _over_limit(said: str, *, daily: bool) -> DeliveryError:
    now = datetime.now(UTC)
    if daily:
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        words = f"{PLACE}: the service has sent all it may today ({said}); the rest goes after midnight UTC"
        return DeliveryError(words, stops=True, not_before=midnight)
    words = f"{PLACE}: too many requests at once ({said}); it will be tried again in a minute"
    return DeliveryError(words, stops=True, not_before=now + timedelta(minutes=1))


def _odd(answer: httpx.Response) -> DeliveryError:
    """Return the fault of an answer not in Notify's form, which comes from something before it, or from an outage."""
    return DeliveryError(f"{PLACE}: out of order (answered {answer.status_code}); it will be tried again", stops=True)


def _errors(answer: httpx.Response) -> list[Mapping[str, Any]]:
    try:
        content = answer.json()
        if content["status_code"] != answer.status_code:
            return []
        return [one for one in content["errors"] if isinstance(one["error"], str)]
    except NOT_ITS_FORM:
        return []


def _kinds(answer: httpx.Response) -> list[str]:
    return [re.sub(r"[^A-Za-z]", "", one["error"])[:40] for one in _errors(answer)]


def _remedy(answer: httpx.Response) -> str | None:
    words = " ".join(str(one.get("message", "")) for one in _errors(answer))
    return next((ours for theirs, ours in REMEDIES if theirs in words), None)


def _id_of(answer: httpx.Response) -> str | None:
    try:
        number = answer.json()["id"]
    except NOT_ITS_FORM:
        return None
    return number if isinstance(number, str) and re.fullmatch(UUID, number) else None


def _state(said: str) -> str | None:
    return said if said in FINAL else None


def _clock_remedy(answer: httpx.Response) -> str | None:
    """Return what to do about this machine's clock, if it differs from the service's."""
    try:
        off = time.time() - parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None
    if abs(off) <= CLOCK_MAY_BE_OFF:
        return None
    return f"this machine's clock is {abs(off):.0f} seconds {'fast' if off > 0 else 'slow'}; put it right"
