"""The settings the service works by: read and checked whole, and exchanged only for others that are valid."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.config.settings import Config, load_config
from monitor.delivery.channel import open_channel
from monitor.errors import MonitorError
from monitor.messages.templates import Templates, read_templates
from monitor.rulebook.rulebook import Rulebook, load_rulebook
from monitor.service.heartbeat import Heartbeat


@dataclass(frozen=True)
class Settings:
    """A valid config, with the rules and templates as they were when it was read."""

    config: Config
    rulebook: Rulebook
    templates: Templates


def read_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Raises ``Problems``; what the channel and the heartbeat need of the environment is looked for too."""
    config = load_config(path)
    settings = Settings(config, load_rulebook(config.rule_folders(), config.rule), read_templates(config.templates))
    open_channel(config.delivery, data_folder=config.data_folder, environ=environ).close()
    Heartbeat(config.heartbeat, environ)
    return settings


Stamps = tuple[tuple[str, int, int], ...]


class Watch:
    """Notices that the config file, a rule or a template has changed.

    Looking costs a ``stat`` of each file; only where one is newer are they read.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        """Raises ``Problems`` when what the files say now is not valid."""
        self._path = path
        self._environ = environ
        self.settings = read_settings(path, environ)
        self._stamps = self._stamp()
        self.fingerprint = self._read_fingerprint()

    def look(self) -> Settings | MonitorError | None:
        """New settings, now in force; why the changed files are not valid, while the old stay; None: no change."""
        stamps = self._stamp()
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        fingerprint = self._read_fingerprint()
        if fingerprint == self.fingerprint:
            return None
        self.fingerprint = fingerprint
        try:
            self.settings = read_settings(self._path, self._environ)
        except MonitorError as fault:
            return fault
        self._stamps = self._stamp()  # the new config may name other folders
        self.fingerprint = self._read_fingerprint()
        return self.settings

    def _files(self) -> Iterator[Path]:
        config = self.settings.config
        yield self._path
        for folder in (*config.rules, *([config.templates] if config.templates else [])):
            if folder.is_dir():
                yield from sorted(path for path in folder.iterdir() if path.is_file())

    def _stamp(self) -> Stamps:
        found = []
        for path in self._files():
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
        return tuple(found)

    def _read_fingerprint(self) -> str:
        digest = hashlib.sha256()
        for path in self._files():
            try:
                content = path.read_bytes()
            except OSError:
                content = b""
            digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()
