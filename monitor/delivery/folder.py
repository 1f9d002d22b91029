"""Delivery into a folder: one .eml file per message, to look at or to hand to another mail system."""

import os
from pathlib import Path

from monitor.delivery.envelope import Envelope, Receipt, build_mail
from monitor.errors import DeliveryError


class FolderChannel:
    """Writes ``<outbox>/<as_at>/<kind>-<key>.eml``, whole or not at all, readable by the owner only."""

    name = "folder"
    idempotent = True
    tracing = None

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox

    def send(self, envelope: Envelope) -> Receipt:
        content = build_mail(envelope).as_bytes()
        folder = self._outbox / envelope.as_at.isoformat()
        path = folder / f"{envelope.kind}-{envelope.key}.eml"
        try:
            for each in (self._outbox, folder):
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_whole(path, content)
        except OSError as fault:
            raise DeliveryError(
                f"{path}: cannot be written ({fault.strerror}); check the folder and the space on its disk",
                stops=True,
            ) from None
        return Receipt(path.relative_to(self._outbox).as_posix())

    def close(self) -> None:
        pass


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside, sync, rename, sync the folder: after a power cut the file is there whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
