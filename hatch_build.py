"""Puts into the wheel what would else be worked out at every start: the shipped templates, compiled, and the
shipped rules, checked.

An editable installation has none of it, and works all the same.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledHook(BuildHookInterface[Any]):
    """Compiles in a folder of its own, so that nothing is left in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        sys.dont_write_bytecode = True
        sys.path.insert(0, self.root)
        from monitor.messages.templates import compile_shipped
        from monitor.rulebook.kept_rulebook import write_built

        self._folder = tempfile.TemporaryDirectory(prefix="monitor-compiled")
        compiled = Path(self._folder.name)
        compile_shipped(compiled / "templates")
        write_built(compiled / "rulebook.json")
        build_data["force_include"][str(compiled)] = "monitor/shipped/compiled"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()
