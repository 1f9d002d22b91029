"""The shipped templates as Python source, written when the wheel is built, and used while they are still the same."""

import hashlib
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, NoReturn

import jinja2
from jinja2 import Environment, ModuleLoader, Template, TemplateNotFound

FINGERPRINTS = "fingerprints.json"
"""Beside the compiled templates: what each was compiled from."""


class CompiledTemplates(ModuleLoader):
    """Loads a template of ``sources`` as it stands compiled in ``folder``.

    One that is not there, whose source has changed since, or that another version of Jinja compiled, is not found:
    the loader after this one compiles it. So is every one where there is no such folder, as in a checkout.
    """

    def __init__(self, folder: Path, sources: Path) -> None:
        super().__init__(folder)
        self._sources = sources
        written = folder / FINGERPRINTS
        self._fingerprints = json.loads(written.read_text(encoding="utf-8")) if written.is_file() else {}

    def load(self, environment: Environment, name: str, globals: MutableMapping[str, Any] | None = None) -> Template:
        """Load the compiled template; raise ``TemplateNotFound`` where it is not what its source says now."""
        known = self._fingerprints.get(name)
        if known is None or known != _fingerprint(self._sources / name):
            raise TemplateNotFound(name)
        return super().load(environment, name, globals)

    def get_source(self, environment: Environment, template: str) -> NoReturn:
        """Leave it to the loader after this one: what is compiled holds no source."""
        raise TemplateNotFound(template)


def compile_templates(environment: Environment, sources: Path, names: list[str], folder: Path) -> None:
    """Compile the templates of these names for ``CompiledTemplates``; raises ``TemplateError`` for one that is wrong.

    ``environment`` loads them from ``sources`` and has the options and filters that they are used with.
    """
    environment.compile_templates(folder, filter_func=lambda name: name in names, zip=None, ignore_errors=False)
    fingerprints = {name: _fingerprint(sources / name) for name in sorted(names)}
    (folder / FINGERPRINTS).write_text(json.dumps(fingerprints, indent=1) + "\n", encoding="utf-8")


def _fingerprint(source: Path) -> str | None:
    """Return the hash of a template and of the version of Jinja that compiles it; None for a file that is not there."""
    if not source.is_file():
        return None
    return hashlib.sha256(f"jinja {jinja2.__version__}\n".encode() + source.read_bytes()).hexdigest()
