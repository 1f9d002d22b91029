"""Makes the page of ``monitor onboard``: how a council's files are read, in one file that can load nothing else."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from monitor.caseload.onboarding import Onboarding
from monitor.config.config_file import Addition
from monitor.config.settings import Config
from monitor.files import make_private_folder, written_whole
from monitor.messages.page_policy import allow, quoted_style
from monitor.messages.templates import open_templates
from monitor.report.page import STYLE

TEMPLATE = "onboard.html"


@dataclass(frozen=True)
class OnboardPage:
    """What the template is given beside what was seen. ``lines``: what could be added, and whether it is certain."""

    authority: str
    marking: str
    made_on: dt.date
    lines: tuple[tuple[Addition, bool], ...]
    style: Markup
    allowed: str


def write_onboard_page(
    path: Path, seen: Onboarding, config: Config, lines: Sequence[tuple[Addition, bool]], *, made_on: dt.date
) -> None:
    """Write the page whole, readable by its owner only."""
    templates = open_templates(config.templates)
    style = templates.read(STYLE) + quoted_style(config.delivery.marking, config.authority)
    page = OnboardPage(
        authority=config.authority,
        marking=config.delivery.marking,
        made_on=made_on,
        lines=tuple(lines),
        style=Markup(style),  # noqa: S704 - the shipped style, or a council's own: not data
        allowed=allow(style),
    )
    make_private_folder(path.absolute().parent)
    with written_whole(path.absolute()) as unfinished:
        text = templates.fill_page(TEMPLATE, {"seen": seen, "page": page})
        unfinished.write_text(text, encoding="utf-8", newline="\n")
