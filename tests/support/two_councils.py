"""Two councils of one fleet whose North teams have one lead, after a night that left that lead's letters waiting."""

import datetime as dt
import email
import shutil
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path

from support.council import NIGHT, Council, crowd, day, homeless, settled
from support.servers.mail import Mailbox
from support.servers.notify import API_KEY, TEMPLATE
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.fleet.join_letters import JoinedAccount, MailingCouncil, join_letters
from monitor.messages.shared_readers import VARIABLE, SharedReaders, write_shared
from monitor.store.location import locate

LEAD = "north@example.gov.uk"
KINGSTON, RICHMOND = "314", "318"
NAMES = {KINGSTON: "Kingston", RICHMOND: "Richmond"}
HOMELESS = {KINGSTON: ("K1",), RICHMOND: ("R1", "R2")}
SHARED = {KINGSTON: SharedReaders({LEAD: 0}), RICHMOND: SharedReaders({LEAD: 100})}
TUESDAY = day(1)
MORNING = dt.datetime(2026, 1, 13, 9, 0, tzinfo=dt.UTC)
BY_FOLDER = "[delivery]\n"


@dataclass
class TwoCouncils:
    """Kingston and Richmond, each in a folder of its own below ``folder``; Richmond writes its lead in capitals."""

    folder: Path
    now: dt.datetime = MORNING
    councils: dict[str, Council] = field(default_factory=dict)

    def run_nights(self) -> None:
        """Kingston's second night finds one newly homeless, Richmond's finds two; the fleet is to send what it says."""
        for code, name in NAMES.items():
            (self.folder / code).mkdir()
            settings = f'authority = "{name}"\ncase_url = "https://{name.lower()}.example/{{person_id}}"\n'
            settings += f"{few_rules(self.folder / code, 'homeless', 'birth-date-recorded')}{BY_FOLDER}"
            evening = MORNING - dt.timedelta(days=2, hours=6)
            council = self.councils[code] = Council(self.folder / code, settings, clock=evening)
            written = council.config_path.read_text(encoding="utf-8")
            for reader in ("analyst", "fallback", "head", "south"):
                written = written.replace(f'"{reader}@', f'"{reader}.{name.lower()}@')
            written = written.replace(LEAD, "NORTH@example.gov.uk") if code == RICHMOND else written
            council.config_path.write_text(written, encoding="utf-8")
            others = [{**person, "id": f"{name}-{person['id']}"} for person in crowd(20)]
            council.night(NIGHT, [*map(settled, HOMELESS[code]), *others])
            council.environ = {VARIABLE: write_shared(SHARED[code])}
            council.night(TUESDAY, [*map(homeless, HOMELESS[code]), *others])

    def copy_to(self, folder: Path) -> "TwoCouncils":
        """The same councils in another folder, with all they remember."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return open_councils(folder)

    def change(self, code: str, old: str, new: str) -> None:
        """Change a council's config."""
        path = self.councils[code].config_path
        written = path.read_text(encoding="utf-8")
        assert old in written
        path.write_text(written.replace(old, new), encoding="utf-8")

    def use_mail_server(self, port: int, ca_file: Path) -> None:
        """Let both councils send through the mail server on this port from now on."""
        channel = '[delivery]\nchannel = "smtp"\nsender = "monitor@example.gov.uk"\n'
        trusted = ca_file.as_posix()
        server = f'smtp = {{ host = "localhost", port = {port}, ca_file = "{trusted}", timeout_seconds = 5 }}\n'
        for code in self.councils:
            self.change(code, BY_FOLDER, channel + server)

    def use_notify(self, url: str, settings: str = "") -> None:
        """Let both councils send through this GOV.UK Notify, by the key that ``NOTIFY`` holds."""
        service = f'base_url = "{url}", api_key_env = "NOTIFY", template_id = "{TEMPLATE}"{settings}'
        for code in self.councils:
            self.change(code, BY_FOLDER, f'[delivery]\nchannel = "notify"\nnotify = {{ {service} }}\n')

    def mailing(self) -> list[MailingCouncil]:
        configs = {code: load_config(council.config_path) for code, council in self.councils.items()}
        return [MailingCouncil(code, config, locate(config, {})) for code, config in configs.items()]

    def join(self, *chosen: str) -> JoinedAccount:
        return join_letters(self.mailing(), {"NOTIFY": API_KEY}, lambda: self.now, chosen or None)

    def states(self, recipient: str = LEAD) -> dict[str, str]:
        """What became of a reader's letter of the second night, by council."""
        query = f"SELECT state FROM message WHERE recipient = '{recipient}' AND as_at = '{TUESDAY}' AND kind = 'lead'"
        return {code: str(council.rows(query)[0][0]) for code, council in self.councils.items()}


def open_councils(folder: Path) -> TwoCouncils:
    """Return the councils that stand in a folder, with the settings that they have there."""
    councils = TwoCouncils(folder)
    for code in NAMES:
        written = (folder / code / "monitor.toml").read_text(encoding="utf-8")
        councils.councils[code] = Council(folder / code, clock=MORNING)
        councils.councils[code].config_path.write_text(written, encoding="utf-8")
    return councils


def read_mail(mailbox: Mailbox, recipient: str = LEAD) -> list[EmailMessage]:
    """Return what a mail server took for a reader, in order."""
    taken = [each for each in mailbox.taken if recipient in each.rcpt_tos]
    return [email.message_from_bytes(bytes(each.content), policy=policy.default) for each in taken]  # type: ignore


def read_text(mail: EmailMessage, kind: str = "plain") -> str:
    """Return the text of a mail, or its HTML, with the line ends of a council's record."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")
