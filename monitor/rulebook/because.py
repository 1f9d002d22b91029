"""A rule's ``because``: a sentence with values in it, parsed as a template and checked."""

from collections.abc import Mapping

from jinja2 import Environment, TemplateError, nodes

from monitor.durations import Limit
from monitor.errors import Problems
from monitor.rulebook.names import CODES, TYPES
from monitor.rulebook.wording import Placeholder, Wording
from monitor.words import did_you_mean

LONGEST = 600
FILTERS = ("date", "meaning")

NEVER = frozenset({"date_of_birth", "death_date"})
SENSITIVE = frozenset({"uasc", "disability", "is_parent", "release_date", "health_history_date"})
"""What only a sensitive rule may put into words, because its words stay out of every message."""


def parse_wording(text: str, limits: Mapping[str, Limit], *, due_on: bool = False, sensitive: bool = False) -> Wording:
    """Parse a wording; ``Problems`` lists everything wrong with it, without its place."""
    text = " ".join(text.split())
    if not text:
        raise Problems(["empty; write a sentence with the values that failed the person"])
    if len(text) > LONGEST:
        raise Problems([f"{len(text)} characters long; at most {LONGEST}"])
    try:
        tree = Environment(autoescape=True).parse(text)
    except TemplateError as fault:
        reason = (fault.message or "").rstrip(".").lower().replace("error", "fault")
        raise Problems([f"cannot be read ({reason}); write values like {{{{ due_on | date }}}}"]) from None
    except RecursionError:
        raise Problems(["too deeply nested; write values like {{ due_on | date }}"]) from None
    parts: list[str | Placeholder] = []
    faults: list[str] = []
    for node in (part for output in tree.body for part in _outputs(output)):
        if isinstance(node, nodes.TemplateData):
            parts.append(node.data)
            continue
        placeholder = _placeholder(node)
        if placeholder is None:
            faults.append("only text and values like {{ due_on | date }} may stand here")
            continue
        faults.extend(_check(placeholder, limits, due_on=due_on, sensitive=sensitive))
        parts.append(placeholder)
    if faults:
        raise Problems(dict.fromkeys(faults))
    return Wording(text, tuple(parts))


def _outputs(node: nodes.Node) -> list[nodes.Node]:
    return list(node.nodes) if isinstance(node, nodes.Output) else [node]


def _placeholder(node: nodes.Node) -> Placeholder | None:
    if isinstance(node, nodes.Name):
        return Placeholder(node.name)
    if isinstance(node, nodes.Filter) and isinstance(node.node, nodes.Name):
        plain = not (node.args or node.kwargs or node.dyn_args or node.dyn_kwargs)
        return Placeholder(node.node.name, node.name) if plain else None
    return None


def _check(placeholder: Placeholder, limits: Mapping[str, Limit], *, due_on: bool, sensitive: bool) -> list[str]:
    name = placeholder.name
    if placeholder.filter is not None and placeholder.filter not in FILTERS:
        return [f'no filter "{placeholder.filter}"; only date and meaning']
    if name in limits:
        return [f"{name}: a limit takes no filter"] if placeholder.filter else []
    if name == "due_on":
        missing = ["due_on: the rule has no due_on; leave it out or give the rule one"]
        return _check_filter(placeholder, "DATE") if due_on else missing
    if name not in TYPES:
        return [f'no column or limit "{name}"' + (did_you_mean(name, [*TYPES, *limits, "due_on"]) or "")]
    if name in NEVER:
        return [f"{name}: no message may hold it; leave it out"]
    if name in SENSITIVE and not sensitive:
        return [f'{name}: only a rule marked "sensitive = true" may put it into words']
    return _check_filter(placeholder, TYPES[name])


def _check_filter(placeholder: Placeholder, kind: str) -> list[str]:
    name = placeholder.name
    if placeholder.filter == "meaning" and name not in CODES:
        return [f"{name}: has no codes; leave out | meaning"]
    if (kind == "DATE") != (placeholder.filter == "date"):
        return [f"{name}: " + ("write {{ " + name + " | date }}" if kind == "DATE" else "is not a date")]
    return []
