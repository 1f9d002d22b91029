"""The settings of sending through Microsoft Graph, for a council whose mail is in Exchange Online."""

from typing import Literal

from pydantic import Field

from monitor.config.fields import Line, Mailbox, WebAddress
from monitor.config.network_settings import EntraApp


class Graph(EntraApp):
    """Microsoft Graph's sendMail, by an application with the permission Mail.Send.

    ``mailbox``: which sends, where that is not delivery.sender. ``ambiguous``: what becomes of a message of which
    nobody knows whether it went: held, or sent again and marked as a repeat. ``save_to_sent_items``: false leaves no
    copy in the mailbox, and goes without the text part and the conversation, which only the other form carries.
    """

    mailbox: Mailbox | None = None
    ambiguous: Literal["hold", "resend"] = "hold"
    attach_list: bool = False
    save_to_sent_items: bool = True
    timeout_seconds: int = Field(default=100, ge=1, le=600)
    graph_url: WebAddress = "https://graph.microsoft.com"
    scope: Line = "https://graph.microsoft.com/.default"
