"""A council's own templates, kept apart: they are read whole, and filled by a process of their own that can be stopped.

What they can do there is bounded: a sandbox, no more time and memory than a message takes, no secret in the
environment. Only words come back. The shipped templates need none of this.
"""

import copyreg
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from monitor.errors import Problems
from monitor.messages.shown import pass_rule
from monitor.rulebook.rule import Rule

KINDS = (".txt", ".html", ".css", ".js")
LARGEST_FILE = 500_000
MOST_FILES = 200
SECONDS = 4
"""Of the processor: the most for one message; it takes some hundredths of one."""
SECONDS_OF_TRIAL = 4
"""Of the processor: the most for the specimens together, which take some tenths of one."""
SECONDS_TO_START = 60
IDLE_SECONDS = 60
"""How long the process waits to be asked again."""
COMMAND = (sys.executable, "-m", "monitor.messages.template_process")
ENDS_FOR_WANT_OF_WORK = 0
PASSED_ON = (
    "PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL",
    "TZ",
)  # fmt: skip
"""Of the environment; passwords stand in the rest of it."""


def read_sources(folder: Path) -> dict[str, str]:
    """Read the templates of a folder by name, like ``lead.txt``; ``Problems`` names what is no template.

    Nothing outside the folder is read, whatever a link in it says.
    """
    problems: list[str] = []
    sources: dict[str, str] = {}
    try:
        inside = folder.resolve(strict=True)
        for path in _list_files(folder):
            if len(sources) >= MOST_FILES:
                raise Problems([f"{folder}: over {MOST_FILES} files; name a folder that holds templates alone"])
            name = path.relative_to(folder).as_posix()
            fault, text = _read_one(path, inside)
            if fault:
                problems.append(f"{name}: {fault}")
            else:
                sources[name] = text
    except (OSError, RuntimeError) as fault:
        raise Problems([f"templates: {folder} cannot be read ({type(fault).__name__}); check the folder"]) from None
    if problems:
        raise Problems(problems)
    return sources


def _list_files(folder: Path) -> Iterator[Path]:
    """The files that may be templates; links to folders are not followed, and hidden files are left alone."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(KINDS) and not name.startswith("."):
                yield Path(place, name)


def _read_one(path: Path, inside: Path) -> tuple[str, str]:
    """What is wrong with a file, or nothing, and its text."""
    try:
        if not path.resolve(strict=True).is_relative_to(inside):
            return "a link to a file outside the templates folder; put a copy of that file here", ""
        if not path.is_file():
            return "not a file; put a text file here, or take it away", ""
        if path.stat().st_size > LARGEST_FILE:
            return f"over {LARGEST_FILE // 1000} kB; a template is a page of text", ""
        return "", path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        return f"byte {fault.start}: not UTF-8 text; save the file as UTF-8", ""
    except (OSError, RuntimeError) as fault:
        words = getattr(fault, "strerror", None) or "a link that leads nowhere"
        return f"cannot be read ({words}); check that it is a file", ""


def hash_sources(sources: Mapping[str, str]) -> str:
    """Return what changes when any template does."""
    return hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()


class OwnTemplates:
    """The process that fills a council's own templates: started when it is needed, and again where it has ended."""

    def __init__(self, sources: Mapping[str, str], stock: Path, command: Sequence[str] = COMMAND) -> None:
        """``command``: starts the process, given two numbers more: the seconds for a message, and to wait idle."""
        self.sources = dict(sources)
        self._stock = stock
        self._command = command
        self._process: _TemplateProcess | None = None
        self._stopped: Problems | None = None
        self.spent: dict[str, float] = {}
        """By template, the seconds of the processor that it took in this trial, or since."""
        self._one_at_a_time = threading.Lock()

    def ask(self, what: str, *given: Any) -> Any:
        """Return what the process answers; ``Problems`` names the template that went wrong or was stopped."""
        with self._one_at_a_time:
            if self._stopped is not None:
                raise self._stopped
            answer = self._ask(_write_pickle((what, given)))
        for name, seconds in answer.get("spent", {}).items():
            self.spent[name] = self.spent.get(name, 0) + seconds
        if problems := answer.get("problems"):
            raise Problems(problems)
        return answer["filled"]

    def find_slow(self) -> str | None:
        """Return what is wrong with the template that took longest, where all took too long together."""
        if sum(self.spent.values()) <= SECONDS_OF_TRIAL:
            return None
        name = max(self.sources.keys() & self.spent.keys(), key=self.spent.__getitem__, default=None)
        # What no message begins with is called by one that is not the council's.
        shared = (each for each in ("phrases.txt", "parts.html", *sorted(self.sources)) if each in self.sources)
        return (
            f"{name or next(shared)}: takes {SECONDS_OF_TRIAL} seconds for a few short messages; look for a loop, "
            "or a text that grows, and see the shipped template of that name"
        )

    def close(self) -> None:
        """End the process; it is started again where something is asked."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _ask(self, request: bytes) -> Any:
        for _ in range(2):
            if self._process is None:
                self._process = _TemplateProcess(self._command, _write_pickle((self.sources, self._stock)))
            answer = self._process.ask(request)
            if answer is not None:
                return answer
            ended, self._process = self._process, None
            if ended.status != ENDS_FOR_WANT_OF_WORK:
                self._stopped = Problems([ended.explain(self.sources)])
                raise self._stopped
        raise Problems(["templates: the process that fills them does not start; see the log of the machine"])


class _TemplateProcess:
    """One run of ``template_process``. It stops itself in time; if even that fails, it is stopped from here."""

    def __init__(self, command: Sequence[str], beginning: bytes) -> None:
        self._faults = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, str(SECONDS), str(IDLE_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._faults,
            env=_environment(),
        )
        self.end = weakref.finalize(self, _end, self._process, self._faults)
        self._questions, self._answers = _pipes(self._process)
        self._start = beginning

    def ask(self, request: bytes) -> Any:
        """Return the answer; None where the process has ended."""
        start, self._start = self._start, b""
        timer = threading.Timer(SECONDS * 7 + (SECONDS_TO_START if start else 0), self._process.kill)
        timer.start()
        try:
            self._questions.write(start + request)
            self._questions.flush()
            line = self._answers.readline()
        except OSError:
            line = b""
        finally:
            timer.cancel()
        return json.loads(line) if line.endswith(b"\n") else None

    @property
    def status(self) -> int:
        return self._process.wait()

    def explain(self, sources: Mapping[str, str]) -> str:
        """Say which template it was stopped in."""
        self._faults.seek(0)
        told = self._faults.read().decode("utf-8", "replace").replace("\r\n", "\n")
        begun = re.findall(r"^filling (.*)$", told, re.MULTILINE)
        within = [name for name in re.findall(r'^  File "(.*?)", line \d+', told, re.MULTILINE) if name in sources]
        name = within[0] if within else begun[-1] if begun else "templates"
        most = f"stopped: it takes over {SECONDS} seconds, or more memory than any message does"
        return f"{name}: {most}; look for a loop, or a text that grows, and see the shipped template of that name"


def _end(process: "subprocess.Popen[bytes]", faults: IO[bytes]) -> None:
    with suppress(OSError):
        process.kill()
    for file in (process.stdin, process.stdout, faults):
        with suppress(OSError):
            if file:
                file.close()
    process.wait()


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise AssertionError("it was started with both")
    return process.stdin, process.stdout


def _environment() -> dict[str, str]:
    ours = str(Path(__file__).parent.parent.parent)
    paths = [ours, *filter(None, [os.environ.get("PYTHONPATH")])]
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def _write_pickle(value: Any) -> bytes:
    written = io.BytesIO()
    pickler = pickle.Pickler(written, protocol=5)
    pickler.dispatch_table = PASSED
    pickler.dump(value)
    return written.getvalue()


@dataclass(frozen=True)
class PassedRule:
    """What of a rule the process is given: enough to call it what messages call it, and of a sensitive one no words."""

    title: str
    sensitive: bool
    shown_as: str | None
    stands_for: tuple[str, ...]
    due_on: bool | None
    action: str
    folds: tuple[str, ...]


def _pass_on(rule: Rule) -> tuple[type[PassedRule], tuple[Any, ...]]:
    return PassedRule, pass_rule(rule)


PASSED: dict[type, Any] = {
    **copyreg.dispatch_table,
    MappingProxyType: lambda view: (dict, (dict(view),)),
    Rule: _pass_on,
}
"""How what is passed on is written: also the read-only views in which rules and figures are kept."""
