"""The process that fills a council's own templates: ``own_templates`` starts it, asks it, and believes none of it.

It reads requests from its standard input and writes one line of JSON for each. A request that takes too long ends the
process, wherever it hangs; so does one that takes too much memory.
"""

import faulthandler
import json
import math
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from types import NoneType
from typing import Any

from jinja2 import BaseLoader, Environment, TemplateError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from monitor.errors import Problems
from monitor.messages.analyst import NightAccount
from monitor.messages.lead import LeadDigest
from monitor.messages.parts import MessageContext
from monitor.messages.routes import Routes
from monitor.messages.templates import (
    PHRASES,
    TemplateSource,
    add_phrases,
    check_template,
    explain_fault,
    fill_message,
    fill_template,
    open_environment,
)
from monitor.messages.told import Told

LOOK_EVERY_SECONDS = 0.1
MOST_MEMORY = 2 << 30
MOST_TEXT = 30_000_000
"""Characters of one answer; a report of a large council is a few million."""

PLAIN = (str, int, float, date, tuple, list, Mapping, set, frozenset, range, NoneType)
READABLE = ("monitor", "jinja2", "markupsafe", "builtins", "collections")
"""What a template may look into beside plain values: whatever else may hold a file, a process or a program."""
HIDDEN: Mapping[type, frozenset[str]] = {
    LeadDigest: frozenset(
        {"told", "everyone", "lines", "coming_told", "by_kind", "still_open", "still_critical", "put_right"}
    ),
    MessageContext: frozenset({"rules", "shown", "before", "seen"}),
    NightAccount: frozenset({"deaths", "alive_again", "lost", "back"}),
    Routes: frozenset({"restricted"}),
    Told: frozenset({"flags", "known", "coming"}),
}
"""What a message is made of and may not hold: flags as they are, the restricted list, rules that are not for it."""


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, where of our own objects only what a message may hold can be read."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        kind = type(obj)
        if attr in HIDDEN.get(kind, ()) or not super().is_safe_attribute(obj, attr, value):
            return False
        if isinstance(obj, PLAIN):
            return True
        return not isinstance(obj, type(os)) and kind.__module__.partition(".")[0] in READABLE


class OwnLoader(BaseLoader):
    """Loads a council's own templates from what was read of them."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        if template not in self.sources:
            raise TemplateNotFound(template)
        return self.sources[template], template, lambda: True


class Filler:
    """Answers the requests."""

    def __init__(self, source: TemplateSource, sources: Mapping[str, str]) -> None:
        self.sources = sources
        self.spent: dict[str, float] = {}
        self.environment = open_environment(source)

    def answer(self, what: str, given: tuple[Any, ...]) -> Mapping[str, Any]:
        """Return what was asked for, or what is wrong, each line with its template."""
        begun = given[0] if given and isinstance(given[0], str) else PHRASES
        self.spent.clear()
        work: Mapping[str, Callable[..., Any]] = {"check": self.check, "fill": self.fill, "fill_page": self.fill_page}
        try:
            if what != "check" and "say" not in self.environment.globals:
                note(PHRASES)
                add_phrases(self.environment)
            filled = work[what](*given)
        except Problems as faults:
            return {"problems": list(faults.problems), "spent": self.spent}
        except Exception as fault:
            return {"problems": [self.explain(begun, fault)], "spent": self.spent}
        if len(json.dumps(filled)) > MOST_TEXT:
            return {"problems": [f"{begun}: makes over {MOST_TEXT // 1_000_000} million characters; make it shorter"]}
        return {"filled": filled, "spent": self.spent}

    def check(self, *names: str) -> list[str]:
        problems: list[str] = []
        for name in names:
            note(name)
            try:
                problems += check_template(self.environment, name)
            except Exception as fault:
                problems.append(self.explain(name, fault))
        return problems

    def fill(self, digests: Any) -> dict[str, str]:
        return fill_message(self.environment, digests, self.fill_one)

    def fill_page(self, name: str, values: Mapping[str, Any]) -> str:
        return self.fill_one(self.environment, name, values)

    def fill_one(self, environment: Environment, name: str, values: Mapping[str, Any]) -> str:
        note(name)
        begun = time.process_time()
        try:
            return fill_template(environment, name, values)
        except Problems:
            raise
        except Exception as fault:
            raise Problems([self.explain(name, fault)]) from None
        finally:
            self.spent[name] = self.spent.get(name, 0) + time.process_time() - begun

    def explain(self, name: str, fault: Exception) -> str:
        """Say what went wrong, in which template."""
        frames = traceback.extract_tb(fault.__traceback__)
        within = next((frame for frame in reversed(frames) if frame.filename in self.sources), None)
        if isinstance(fault, TemplateError):
            return explain_fault(within.filename if within else name, fault)
        place = f"{within.filename}: line {within.lineno}" if within else name
        reason = f"{type(fault).__name__}: {' '.join(str(fault).split())[:120]}".rstrip(": ")
        return f"{place}: cannot be filled ({reason}); see the shipped template of that name"


def note(name: str) -> None:
    """Tell the other process, through the file where faults go, what is being filled."""
    print(f"filling {name}", file=sys.stderr, flush=True)


def limit_memory() -> None:
    """Take no more memory than a message needs, where the system knows such a limit."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass
class Watch:
    """Ends this process, wherever it hangs, when one answer takes too long, and says where it was.

    ``seconds``: of the processor; a machine that is busy is no fault of a template. By the clock it may take six times
    as long.
    """

    seconds: float
    _most: float = math.inf
    """Of the processor, where the system itself ends nothing: how much this process may have used by the answer."""
    _counting: bool = False

    def start(self) -> None:
        self.stop()
        try:
            import resource

            most = int(time.process_time() + self.seconds) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
            faulthandler.register(signal.SIGXCPU, chain=True)
        except (ImportError, OSError, ValueError):
            self._most = time.process_time() + self.seconds
            if not self._counting:
                self._counting = True
                threading.Thread(target=self._count, daemon=True).start()
        faulthandler.dump_traceback_later(self.seconds * 6, exit=True)

    def stop(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._most = math.inf
        with suppress(ImportError, OSError, ValueError):
            import resource

            most = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (most, most))

    def _count(self) -> None:
        while time.process_time() < self._most:
            time.sleep(LOOK_EVERY_SECONDS)
        faulthandler.dump_traceback()
        os._exit(1)


def serve() -> None:
    """Answer until nothing more is asked."""
    seconds, idle_seconds = map(float, sys.argv[1:])
    requests = open(0, "rb", closefd=False)  # noqa: SIM115 - for as long as the process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else writes, writes to where faults go
    sources, stock = pickle.load(requests)  # noqa: S301 - only who started this writes to it
    limit_memory()
    source = TemplateSource(stock, OwnLoader(sources), TemplateSandbox)
    watch = Watch(seconds)
    watch.start()
    filler = Filler(source, sources)
    while True:
        watch.stop()
        idle = threading.Timer(idle_seconds, os._exit, (0,))
        idle.daemon = True
        idle.start()
        asked = requests.peek(1)
        idle.cancel()
        if not asked:
            return
        watch.start()
        what, given = pickle.load(requests)  # noqa: S301
        os.ftruncate(2, 0)  # of what went before nothing is told
        os.lseek(2, 0, os.SEEK_SET)
        answers.write(json.dumps(filler.answer(what, given)).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve()
