"""Delivery into a folder: one .eml file per message, to look at or to hand to another mail system."""

from contextlib import suppress
from pathlib import Path

from monitor.delivery.envelope import Envelope, Receipt, build_mail
from monitor.errors import DeliveryError, MonitorError
from monitor.files import UNFINISHED, make_private_folder, written_whole


class FolderChannel:
    """Writes ``<outbox>/<as_at>/<kind>-<key>.eml``, whole or not at all, readable by the owner only."""

    name = "folder"
    idempotent = True
    tracing = None
    at_once = 1

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox

    def send(self, envelope: Envelope) -> Receipt:
        content = build_mail(envelope).as_bytes()
        path = self._outbox / envelope.as_at.isoformat() / f"{envelope.kind}-{envelope.key}.eml"
        try:
            make_private_folder(path.parent)
            _remove_unfinished(path)
            with written_whole(path) as unfinished:
                unfinished.write_bytes(content)
        except MonitorError as fault:
            raise DeliveryError(str(fault), stops=True) from None
        return Receipt(path.relative_to(self._outbox).as_posix(), state="delivered")

    def close(self) -> None:
        pass


def _remove_unfinished(path: Path) -> None:
    """Remove what a process that was killed left of this message, for it holds personal data."""
    with suppress(OSError):
        for left_over in path.parent.glob(f".{path.name}.*{UNFINISHED}"):
            left_over.unlink()
