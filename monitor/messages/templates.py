"""Turns a digest into words: the templates, their filters, and what is said when a template is wrong."""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
    meta,
    select_autoescape,
)
from markupsafe import Markup

from monitor.config.settings import shipped
from monitor.errors import Problems
from monitor.messages.compiled_templates import CompiledTemplates, compile_templates
from monitor.messages.flag_item import Item
from monitor.messages.parts import Digest, WrittenMessage
from monitor.messages.safe_ids import hide_names
from monitor.words import join_words, one_line, write_count, write_date, write_long_date, write_number, write_weekday

if TYPE_CHECKING:
    from monitor.messages.own_templates import OwnTemplates

PARTS = ("subject.txt", "txt", "html")
MESSAGES = ("lead", "manager", "head", "restricted", "analyst", "refused", "undelivered", "notice", "cover")
PAGE = "page"
"""The frame of every message: marking, the parts one after another, the foot."""
PIECES = tuple(f"{piece}.{part}" for piece in ("monday", "baseline", "raised") for part in ("txt", "html"))
"""What a lead's mail holds once a week, and on the first night; what the mails above the leads share."""
REPORT: Mapping[str, frozenset[str]] = {
    "report.html": frozenset({"report", "page", "number", "in_words", "size", "share", "line", "bars"}),
    "onboard.html": frozenset({"seen", "page"}),
    "figures.html": frozenset({"page", "number", "about", "part", "percent", "bars"}),
    "figures.css": frozenset(),
    "report-people.html": frozenset({"report", "page", "number", "in_words", "size", "line"}),
    "report-parts.html": frozenset({"page", "number", "in_words", "size", "line"}),
    "report.css": frozenset(),
    "report.js": frozenset(),
    "team.html": frozenset({"page"}),
    "team.css": frozenset(),
    "team.js": frozenset(),
}
"""The pieces of the oversight report and of a team's page, and what the templates among them are given."""
AS_THEY_ARE = (".css", ".js")
"""A file that ends so is put into the page as it is, and is no template."""
PHRASES = "phrases.txt"
SHARED = (PHRASES, "parts.html")
TEXT_WIDTH = 78
NAMES = (*SHARED, *(f"{message}.{part}" for message in (*MESSAGES, PAGE) for part in PARTS), *PIECES, *REPORT)
ABOUT_FAULTS = ("refused", "undelivered", "notice")
"""What is said of a fault: by the shipped templates where a council's own are the fault."""
STOCK = shipped("templates").parent
"""Where the folder of the shipped templates is, and beside it, in a wheel, the compiled ones."""
COMPILED = "compiled/templates"


def wrap_text(value: str, first: str = "", rest: str | None = None) -> str:
    """Wrap into lines of at most 78 columns; addresses and long ids are never broken."""
    words = " ".join(value.split())
    if len(first) + len(words) <= TEXT_WIDTH:
        return first + words
    lines = textwrap.wrap(
        words,
        TEXT_WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first) if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def underline(value: str) -> str:
    """Write a heading and the line under it."""
    return f"{value}\n{'-' * len(value)}"


def uncapitalize(value: str) -> str:
    """Make the first letter small where a word begins with it, as within a sentence; leave initials as they are."""
    return value[:1].lower() + value[1:] if value[1:2].islower() or value[1:2].isspace() else value


def capitalize_first(value: str) -> str:
    """Make the first letter a capital, and leave the rest as it is."""
    return value[:1].upper() + value[1:]


PLAIN = (str, int, date, NoneType, Item)
"""Types of which equal values are worded alike."""


def remember(write: Callable[..., str]) -> Callable[..., str]:
    """Return the function or macro with a memory of what it returned for the same plain values.

    Hundreds of young people share a flag's words. What else it is given, such as a digest, it is asked of each time.
    """
    written: dict[tuple[object, ...], str] = {}

    def write_once(*values: object) -> str:
        if not all(map(_is_plain, values)):
            return write(*values)
        if values not in written:
            written[values] = write(*values)
        return written[values]

    return write_once


def _is_plain(value: object) -> bool:
    return type(value) in PLAIN or (type(value) is tuple and all(map(_is_plain, value)))


class Phrases:
    """The macros of ``phrases.txt`` as functions that return plain text.

    Called as macros from an HTML template they would count as safe there and not be escaped. ``remembers``: for the
    life of one message, since what is remembered is about young people.
    """

    def __init__(self, module: Any, *, remembers: bool = False) -> None:
        self._module = module
        self._remembers = remembers

    def __getattr__(self, name: str) -> Callable[..., str]:
        macro = getattr(self._module, name)

        def phrase(*values: object) -> str:
            return str(macro(*values)).strip()

        known = remember(phrase) if self._remembers else phrase
        setattr(self, name, known)
        return known


def write_tally(counts: Iterable[tuple[str, int]]) -> str:
    """Write counts like: 12 opened, 3 held."""
    return ", ".join(f"{number:,} {what}" for what, number in counts)


@dataclass(frozen=True)
class TemplateSource:
    """Where templates come from. ``stock``: the shipped ones; ``own``: a council's own, asked first, in ``kind``."""

    stock: Path
    own: BaseLoader | None = None
    kind: type[Environment] = Environment


@dataclass(frozen=True)
class Templates:
    """The templates of every message: a council's own where it has them, else the shipped ones.

    ``own``: the process that fills a council's own; ``own_hash``: of those, as they were read.
    """

    environment: Environment
    own: "OwnTemplates | None" = None
    own_hash: str = ""

    def fill(self, digests: Sequence[Digest]) -> dict[str, str]:
        """Return subject, text and HTML of one message, by the ending of the template's name; its parts in order."""
        if self.own is None:
            return fill_message(self.environment, digests, fill_template)
        try:
            filled: dict[str, str] = self.own.ask("fill", tuple(digests))
        except Problems:
            if not all(digest.template in ABOUT_FAULTS for digest in digests):
                raise
            # Whatever is wrong with a council's own templates, the analyst is told what is wrong.
            return fill_message(self.environment, digests, fill_template)
        return filled

    def read(self, name: str) -> str:
        """Read a style or script of ``REPORT``, with the line ends that a browser takes it to have."""
        if self.own is not None and name in self.own.sources:
            return self.own.sources[name].replace("\r\n", "\n")
        source, _, _ = self.environment.loader.get_source(self.environment, name)  # type: ignore[union-attr]
        return source.replace("\r\n", "\n")

    def fill_page(self, name: str, values: Mapping[str, Any]) -> str:
        """Fill one template, given everything it may name."""
        if self.own is None:
            return fill_template(self.environment, name, values)
        return str(self.own.ask("fill_page", name, dict(values)))

    def prove(self, digests: Sequence[Digest]) -> None:
        """Put every digest into words, each by itself; raises ``Problems`` with everything that went wrong."""
        problems: dict[str, None] = {}
        if self.own is not None:
            self.own.spent.clear()  # a service tries them anew before each of its nights
        for digest in digests:
            try:
                if self.own is None:
                    fill_message(self.environment, (digest,), fill_template)
                else:
                    self.own.ask("fill", (digest,))
            except Problems as faults:
                problems.update(dict.fromkeys(faults.problems))
            if self.own is not None and (slow := self.own.find_slow()):
                problems[slow] = None
                break
        if problems:
            raise Problems(problems)


Fill = Callable[[Environment, str, Mapping[str, Any]], str]


def fill_message(environment: Environment, digests: Sequence[Digest], fill: Fill) -> dict[str, str]:
    """Return subject, text and HTML of one message, each template of it filled by ``fill``.

    What is not escaped here was escaped when the part itself was filled.
    """
    say = Phrases(environment.get_template(PHRASES).module, remembers=True)
    given = [(each.template, {"digest": each, "say": say}) for each in digests]
    words = {}
    for part in PARTS:
        mark = Markup if part == "html" else str
        filled = [mark(fill(environment, f"{template}.{part}", values).strip("\n")) for template, values in given]
        words[part] = fill(environment, f"{PAGE}.{part}", {**given[0][1], "parts": filled})
    return words


def fill_template(environment: Environment, name: str, values: Mapping[str, Any]) -> str:
    """Fill one template; ``Problems`` says what it names that is not there."""
    try:
        return environment.get_template(name).render(values)
    except TemplateError as fault:
        raise Problems((explain_fault(name, fault),)) from None


@cache
def open_templates(folder: Path | None = None) -> Templates:
    """Read the templates once in the life of a process."""
    return read_templates(folder)


def read_templates(folder: Path | None = None, stock: Path = STOCK) -> Templates:
    """Read the templates as they are now; ``folder`` may hold a council's own for some or all, which are checked.

    Raises ``Problems`` with every template of ``folder`` that cannot be read, or that names something no digest
    has. The shipped ones are checked by the tests, not on every night. A council's own are read whole, so that a
    later change of the file changes nothing here. ``stock``: where the shipped ones are.
    """
    environment = open_environment(TemplateSource(stock))
    add_phrases(environment)
    if folder is None:
        return Templates(environment)
    from monitor.messages import own_templates

    sources = own_templates.read_sources(folder)
    if not sources:
        return Templates(environment)
    own = own_templates.OwnTemplates(sources, stock)
    if problems := own.ask("check", *(name for name in NAMES if name in sources)):
        raise Problems(problems)
    return Templates(environment, own, own_templates.hash_sources(sources))


def open_environment(source: TemplateSource) -> Environment:
    """Return where templates are found and filled; of the shipped ones the compiled, but not beside a council's own."""
    sources = source.stock / "templates"
    first = CompiledTemplates(source.stock / COMPILED, sources) if source.own is None else source.own
    return _new_environment([first, FileSystemLoader(sources)], source.kind)


def add_phrases(environment: Environment) -> None:
    """Give every template the phrases, for the life of the process."""
    environment.globals["say"] = Phrases(environment.get_template(PHRASES).module)


def compile_shipped(folder: Path, stock: Path = STOCK) -> None:
    """Compile the shipped templates into ``folder``, which the wheel keeps as ``COMPILED``."""
    sources = stock / "templates"
    environment = _new_environment([FileSystemLoader(sources)])
    names = [name for name in environment.list_templates() if not name.endswith(AS_THEY_ARE)]
    compile_templates(environment, sources, names, folder)


def _new_environment(loaders: list[BaseLoader], kind: type[Environment] = Environment) -> Environment:
    environment = kind(
        loader=ChoiceLoader(loaders),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",)),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        auto_reload=False,
    )
    environment.filters.update(
        date=write_date,
        weekday=write_weekday,
        long_date=write_long_date,
        number=write_number,
        count_of=write_count,
        wrapped=wrap_text,
        words=join_words,
        underlined=underline,
        tallied=write_tally,
        capitalize_first=capitalize_first,
        uncapitalized=uncapitalize,
        remembered=remember,
    )
    return environment


def render(digest: Digest, templates: Templates | None = None) -> WrittenMessage:
    """Return one digest in words, by ``templates`` or the shipped ones."""
    return render_together((digest,), templates)


def render_together(parts: Sequence[Digest], templates: Templates | None = None) -> WrittenMessage:
    """Return all that one address is told tonight as one message, its parts in the order given."""
    first = parts[0]
    words = (templates or open_templates()).fill(parts)
    marking = one_line(first.night.marking)
    # One line of printable characters: nothing in a subject can begin another header.
    people = tuple(dict.fromkeys(person for part in parts for person in part.people))
    words = {name: hide_names(text, people) for name, text in words.items()}
    subject = one_line(words["subject.txt"])
    return WrittenMessage(
        recipient=first.recipient,
        kind=first.kind,
        subject=subject if subject.startswith(marking) else f"{marking} {subject}",
        text=words["txt"].strip("\n") + "\n",
        html=words["html"],
        flag_ids=tuple(dict.fromkeys(flag_id for part in parts for flag_id in part.flag_ids)),
        people=people,
        holds=tuple(dict.fromkeys(word for part in parts for word in part.holds)),
    )


def check_template(environment: Environment, name: str) -> list[str]:
    """Return what is wrong with a template before it is filled."""
    try:
        source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
        if name.endswith(AS_THEY_ARE):
            return []
        environment.get_template(name)
        unknown = meta.find_undeclared_variables(environment.parse(source)) - _known(name)
    except TemplateError as fault:
        return [explain_fault(name, fault)]
    if name in REPORT:
        known = ", ".join(sorted(REPORT[name]))
        return [f'{name}: no "{each}"; it is given {known}' for each in sorted(unknown)]
    return [f'{name}: no "{each}"; everything a message holds is under "digest"' for each in sorted(unknown)]


def _known(name: str) -> frozenset[str]:
    if name in REPORT:
        return REPORT[name]
    return frozenset({"digest", "say", "parts"} if name.startswith(f"{PAGE}.") else {"digest", "say"})


def explain_fault(name: str, fault: TemplateError) -> str:
    """Return what is wrong with a template in one line: place, fault, remedy."""
    if isinstance(fault, TemplateSyntaxError):
        place = f"{fault.name or name}: line {fault.lineno}"
        return f"{place}: {fault.message}; see the shipped template of that name"
    if isinstance(fault, UndefinedError):
        return f"{name}: {fault.message}; see the shipped template of that name for what there is"
    if isinstance(fault, TemplateNotFound):
        missing = f'no template "{fault.message or ""}"'[:200]
        return f"{name}: {missing}; the templates folder must hold it, or leave it to the shipped ones"
    said = " ".join(str(fault.message or type(fault).__name__).split())[:200]
    return f"{name}: {said}; see the shipped template of that name for what there is"
