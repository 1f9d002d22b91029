"""How this machine reaches the outside: its proxy, whom it trusts, and how long it waits for a connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path


class NotUsable(ValueError):
    """A setting of the network that nothing can be sent by; its words begin with the setting."""


@dataclass(frozen=True)
class Network:
    """What every connection to the outside is made by.

    ``ca_files``: authorities trusted beside the system's own. ``proxy``: from the config; where it names none, the
    environment's is taken. ``no_proxy``: hosts that are reached without one, beside those of the environment.
    ``connect_seconds`` and ``write_seconds`` are the same for every service; how long an answer may take is not.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_files: tuple[Path, ...] = ()
    proxy: str | None = None
    no_proxy: tuple[str, ...] = ()
    connect_seconds: float = 15
    write_seconds: float = 60

    def trusting(self, ca_file: Path | None) -> "Network":
        """Return the same network, for a service whose authority has a file of its own."""
        return replace(self, ca_files=(*self.ca_files, ca_file)) if ca_file else self
