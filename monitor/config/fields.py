"""What settings are made of: the kinds of value, each checked with a clear message."""

import re
import unicodedata
from datetime import time
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote_plus, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from monitor.catalogue.columns import BY_NAME
from monitor.config.mailboxes import LABEL, LONGEST_DOMAIN, find_domain_fault, find_mailbox_fault
from monitor.words import did_you_mean


def _mailbox(value: str) -> str:
    if fault := find_mailbox_fault(value):
        raise ValueError(fault)
    return value


def _one_line(value: str) -> str:
    if not value.strip() or any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in value):
        raise ValueError("must be one line of text")
    return value.strip()


def _domains(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return domains in lower case."""
    for value in values:
        if find_domain_fault(value):
            raise ValueError(f'"{value}" is not a domain; write what follows the @, like "example.gov.uk"')
    return tuple(value.lower() for value in values)


def _host(value: str) -> str:
    """Check the name or the number of another machine, which may be a bare name of this network."""
    if re.fullmatch(r"[0-9a-fA-F:]*:[0-9a-fA-F:.]+", value) or (
        len(value) <= LONGEST_DOMAIN and all(LABEL.fullmatch(label) for label in value.split("."))
    ):
        return value
    raise ValueError("not the name of a machine; write it like smtp.example.gov.uk, without a port")


def _hour(value: object) -> time:
    """Read a time of day, as TOML has one or written like "08:00"."""
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('not a time of day; write it like "08:00"')
    return time.fromisoformat(value)


def locate(value: Path, info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("folder", "")) / value


def _folder(value: Path) -> Path:
    if not value.is_dir():
        raise ValueError(f"no folder {value}")
    return value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError(f"no file {value}")
    return value


def catalogue_columns(values: tuple[str, ...]) -> tuple[str, ...]:
    for name in values:
        if name not in BY_NAME:
            hint = did_you_mean(name, BY_NAME) or "; monitor columns lists them"
            raise ValueError(f'no column "{name}"{hint}')
    return values


def check_case_url(value: str) -> str:
    if not value.startswith("https://") or "{person_id}" not in value:
        raise ValueError("must start with https:// and hold {person_id} where the id goes")
    return value


def check_web_address(value: str) -> str:
    """Check an address that may be sent credentials: over TLS, or on this machine."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or not value.isascii() or not value.isprintable():
        raise ValueError("not a web address; write it like https://host.example.gov.uk/people")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost")):
        raise ValueError("must begin with https://, since personal data goes over it")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or a password; name with token_env the environment variable that has a token")
    if parts.fragment:
        raise ValueError("holds a #; leave out what follows it")
    return value


def check_lists_address(value: str) -> str:
    """Check the address of a folder of lists, which stands in mails: it opens nothing for whoever has the address."""
    remedy = "copy the folder's address from the browser, like https://example.sharepoint.com/sites/leaving-care/lists"
    if not value.startswith("https://"):
        raise ValueError(f"must begin with https://; {remedy}")
    if "@" in value.removeprefix("https://").partition("/")[0]:
        raise ValueError(f"holds a user or a password; {remedy}")
    check_web_address(value)
    parts = urlsplit(value)
    if "?" in value or ";" in value:
        raise ValueError(f"holds a question mark or a semicolon and what follows it, which may be a token; {remedy}")
    if any(character in value for character in " \"'<>\\`{|}"):
        raise ValueError(f"holds a blank or a sign that no web address has (a blank is %20); {remedy}")
    folders = re.sub("(?i)/:[a-z]:/r/", "/", unquote_plus(parts.path)).split("/")
    if (parts.hostname or "") in SHARING_HOSTS or any(map(_is_sharing, folders)):
        raise ValueError(f"is a sharing link, whose token opens the lists for whoever reads it; {remedy}")
    return value.rstrip("/")


SHARING_HOSTS = ("1drv.ms", "we.tl", "bit.ly", "aka.ms", "tinyurl.com")
"""Hosts whose every address is a link made for sharing, or hides where it leads."""
SHARING = re.compile(r"(?i):[a-z]:|s!.+|guestaccess\.aspx|.*(access_?token|authkey|sharekey|guestaccess|sig=|sv=).*")
"""A part of the path that makes it a sharing link: SharePoint's token is after /:f:/s/, a plain path after /:f:/r/."""
TOKEN = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=(?:\D*\d+\D+){2}\D*\d)[A-Za-z0-9]{20,}|[0-9a-f]{32,}")


def _is_sharing(folder: str) -> bool:
    return bool(SHARING.fullmatch(folder)) or any(map(TOKEN.fullmatch, re.split(r"[-_ .~=+]", folder)))


def refuse_password(value: str, remedy: str) -> None:
    """Raise where a database's url holds a password, which messages would show."""
    try:
        parts = urlsplit(value)
        held = parts.password is not None
    except ValueError:
        raise ValueError("cannot be read as a URL; write it like postgresql://user@host/database") from None
    if held or re.search(r"(?i)\b(password|pwd|passwd|secret|token)\s*=", unquote_plus(parts.query)):
        raise ValueError(f"holds a password; take it out and {remedy}")


def _database(value: str, info: ValidationInfo) -> str:
    """Check the monitor's own database: an SQLite file, found from the config file's folder, or one of PostgreSQL."""
    if value.startswith("sqlite:///") and value != "sqlite:///":
        return f"sqlite:///{locate(Path(value.removeprefix('sqlite:///')), info)}"
    refuse_password(value, "name with database_password_env the environment variable that has it")
    parts = urlsplit(value)
    if parts.scheme not in ("postgresql", "postgresql+psycopg") or not parts.path.strip("/"):
        raise ValueError("must be like sqlite:///data/monitor.db or postgresql://user@host/database")
    return value


def _schema_name(value: str) -> str:
    """Check the name of a schema of PostgreSQL, which needs no quotes in any program."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value) or value.startswith("pg_") or value == "information_schema":
        raise ValueError(
            f'"{value[:63]}" is not a name for a schema of ours; small letters, digits and _, like "la_314"'
        )
    return value


Mailbox = Annotated[str, AfterValidator(_mailbox)]
Host = Annotated[str, AfterValidator(_host)]
Domains = Annotated[tuple[str, ...], AfterValidator(_domains)]
Line = Annotated[str, AfterValidator(_one_line)]
Hour = Annotated[time, BeforeValidator(_hour)]
"""A time of day in Europe/London."""
Located = Annotated[Path, AfterValidator(locate)]
"""A path, made absolute from the config file's folder."""
Folder = Annotated[Located, AfterValidator(_folder)]
File = Annotated[Located, AfterValidator(_file)]

DatabaseUrl = Annotated[str, AfterValidator(_database)]
SchemaName = Annotated[str, AfterValidator(_schema_name)]
WebAddress = Annotated[str, AfterValidator(check_web_address)]
ListsAddress = Annotated[str, AfterValidator(check_lists_address)]


class Table(BaseModel):
    """A table of the config file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
