"""Who the monitor is to a mail server: nobody, a user with a password, or an application with a token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.config.smtp_settings import ENDS_PASSWORDS, Smtp
from monitor.errors import Problems
from monitor.network.policy import Network

if TYPE_CHECKING:
    from monitor.network.tokens import Tokens

SCOPE = "https://outlook.office365.com/.default"
TURN_ON = (
    "authenticated SMTP is turned off for the mailbox or the tenant; ask IT to turn it on "
    "(Set-CASMailbox MAILBOX -SmtpClientAuthenticationDisabled $false)"
)
EXCHANGE_HALF = (
    "Exchange Online does not know the application, or does not let it use the mailbox; ask IT to register the "
    "enterprise application's object id in Exchange (New-ServicePrincipal), to give it the mailbox "
    "(Add-MailboxPermission) and to turn on authenticated SMTP for that mailbox, then wait half an hour"
)
NO_PASSWORDS = (
    "Exchange Online takes no user name and password any more; ask IT to "
    "register an application with SMTP.SendAsApp, and put a [delivery.smtp.oauth] table in the place of username_env "
    'and password_env, or use channel = "graph"'
)


@dataclass(frozen=True)
class Password:
    """A user and a password; the variables' names are for messages, the values for nobody."""

    username: str = field(repr=False)
    value: str = field(repr=False)
    variables: str

    def explain(self, code: int, status: str) -> str:
        """Return what a refused login means, and what to do."""
        if status.endswith("5.7.30"):
            return f"{NO_PASSWORDS} ({status})"
        if status.endswith("5.7.139"):
            return f"{TURN_ON}; Exchange Online ends user names and passwords {ENDS_PASSWORDS} ({status})"
        return f"user name or password not accepted ({code}); check {self.variables}"


@dataclass(frozen=True)
class SendingApp:
    """An application, the mailbox it sends from, and where its proof is, for messages."""

    mailbox: str
    tokens: "Tokens" = field(repr=False)
    proof: str

    def explain(self, code: int, status: str) -> str:
        """Return what a refused token means, and what to do."""
        if status.endswith("5.7.139"):
            return f"{TURN_ON}; or a Conditional Access policy keeps the application out ({status})"
        if status.endswith("5.7.3"):
            return f"{EXCHANGE_HALF} ({status})"
        return (
            f"the application's token was not accepted ({status}); check delivery.smtp.oauth: tenant, client_id, "
            f"mailbox and what {self.proof} holds, and that the application has SMTP.SendAsApp with admin consent"
        )


def read_login(settings: Smtp, network: Network, sender: str) -> Password | SendingApp | None:
    """Return who we are by the config; raises ``Problems`` when a variable or a file is not there, or holds no such."""
    if settings.oauth is not None:
        # An HTTP client takes long to load, and only this login needs one.
        from monitor.delivery.entra import open_tokens

        tokens = open_tokens(settings.oauth, SCOPE, network, place="delivery.smtp.oauth")
        return SendingApp(settings.oauth.mailbox or sender, tokens, settings.oauth.proof_place)
    if settings.username_env is None or settings.password_env is None:
        return None
    return _read_password({"username_env": settings.username_env, "password_env": settings.password_env}, network)


def _read_password(names: Mapping[str, str], network: Network) -> Password:
    values = {key: network.environ.get(name, "") for key, name in names.items()}
    problems = [
        f"delivery.smtp.{key}: the environment has no {names[key]}; set it before starting"
        for key, value in values.items()
        if not value
    ]
    problems += [
        f"delivery.smtp.{key}: {names[key]} holds letters that a mail server cannot be told; use ASCII letters alone"
        for key, value in values.items()
        if not value.isascii()
    ]
    if problems:
        raise Problems(problems)
    return Password(values["username_env"], values["password_env"], " and ".join(names.values()))
