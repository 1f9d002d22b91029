"""``monitor init``: a folder with everything a council starts from, which works at once with invented people."""

import datetime as dt
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.config.settings import shipped
from monitor.errors import Problems
from monitor.files import make_private_folder, written_whole
from monitor.sample.list_9 import write_sample
from monitor.sample.supplement import write_sample_supplement

HERE = Path(__file__).parent / "new_folder_files"
CONFIG = "monitor.toml"
EXAMPLE_RULE = "own-rules/homeless-contact.toml"
UNITS = ("care-leaver-monitor.service", "care-leaver-monitor-night.service", "care-leaver-monitor-night.timer")
PEOPLE = 900

OWN_SETTINGS = (
    ('# rules = ["own-rules"]    ', 'rules = ["own-rules"]      '),
    (
        'kind = "sample"                             # invented people, made for the night\'s date; for your own: '
        "annex-a-list-9\n"
        "people = 900                                # how many people the sample invents\n"
        "seed = 1                                    # the same seed invents the same people\n",
        'kind = "annex-a-list-9"                     # an Annex A List 9: .xlsx, .xls, .ods or .csv\n'
        'path = "sample/list-9.xlsx"                 # invented people; put your own export in its place\n',
    ),
    (
        'kind = "sample"                             # invented too; for your own: supplement, with a path to an '
        ".xlsx, .ods or .csv\n",
        'kind = "supplement"                         # columns of the catalogue by person_id, as .xlsx, .ods or .csv\n'
        'path = "sample/supplement.xlsx"             # invented too; put your own in its place, or delete it\n',
    ),
    ("people = 900                                # as above\nseed = 1\n", ""),
)
"""What of the example config is otherwise in a council's own, and how."""


@dataclass(frozen=True)
class Made:
    """What stands in the new folder, and what to do next."""

    folder: Path
    files: tuple[str, ...]
    next_steps: tuple[str, ...]


def make(folder: Path, *, today: dt.date, people: int = PEOPLE, more: Mapping[str, str] | None = None) -> Made:
    """Fill ``folder``, made if need be; ``Problems``, and nothing written, where that would overwrite anything.

    ``more``: further files by their names, such as the handbook.
    """
    folder = folder.absolute()
    texts = _texts(folder) | dict(more or {})
    samples = ("sample/list-9.xlsx", "sample/supplement.xlsx")
    there = [name for name in (*texts, *samples) if (folder / name).exists()]
    if folder.exists() and not folder.is_dir():
        raise Problems([f"{folder}: is a file; name a folder"])
    if there:
        raise Problems(
            f"{folder / name}: is there already, and nothing is overwritten; name another folder, or move it away"
            for name in there
        )
    make_private_folder(folder / "data")
    config = texts.pop(CONFIG)
    for name, text in texts.items():
        _write(folder / name, text)
    write_sample(folder / samples[0], people=people, as_at=today, seed=1)
    write_sample_supplement(folder / samples[1], people=people, as_at=today, seed=1)
    _write(folder / CONFIG, config)
    return Made(folder, (CONFIG, *texts, *samples), _next_steps(folder))


def _texts(folder: Path) -> dict[str, str]:
    """Every text file by its place in the folder."""
    texts = {CONFIG: _config(), EXAMPLE_RULE: _read(HERE / "example-rule.toml")}
    for path in sorted(shipped("templates").iterdir()):
        if path.is_file():
            texts[f"templates/{path.name}"] = _read(path)
    hardening = _read(HERE / "hardening.txt").rstrip()
    for unit in UNITS:
        text = _read(HERE / unit).replace("@HARDENING@", hardening)
        texts[f"deploy/{unit}"] = "".join(_place_in_unit(line, folder) for line in text.splitlines(keepends=True))
    texts["deploy/Dockerfile"] = _place(_read(HERE / "Dockerfile"), folder)
    texts["deploy/windows-task.ps1"] = write_powershell(_read(HERE / "windows-task.ps1"), folder, _command())
    return texts


def _config() -> str:
    text = _read(shipped("config.example.toml"))
    for shown, own in OWN_SETTINGS:
        if text.count(shown) != 1:
            raise AssertionError(f"config.example.toml no longer holds once: {shown}")
        text = text.replace(shown, own)
    return text


def _place(text: str, folder: Path) -> str:
    """``text`` with this folder and this installation's command; a shell's single quotes are put round the folder."""
    text = text.replace("'@FOLDER@'", shlex.quote(str(folder)))
    return text.replace("@FOLDER@", str(folder)).replace("@MONITOR@", _command())


def _place_in_unit(line: str, folder: Path) -> str:
    """A line of a unit with this folder and this installation's command, as systemd takes it apart."""
    for name, value in (("@FOLDER@", str(folder)), ("@MONITOR@", _command())):
        written = value.replace("%", "%%")
        if '"@' in line:
            written = written.replace("\\", "\\\\").replace('"', '\\"')
        line = line.replace(name, written.replace("$", "$$") if line.startswith("Exec") else written)
    return line


def write_powershell(text: str, folder: Path, command: str) -> str:
    """Return a script with these two inside its single quotes, marked as UTF-8, which Windows' own PowerShell needs."""
    quoted = (_double_quotes(str(value)) for value in (folder, command))
    for mark, value in zip(("@FOLDER@", "@MONITOR@"), quoted, strict=True):
        text = text.replace(mark, value)
    return f"\ufeff{text}"


def _command() -> str:
    """The ``monitor`` that belongs to the Python that runs this."""
    beside = Path(sys.executable).with_name("monitor.exe" if sys.platform == "win32" else "monitor")
    return str(beside) if beside.is_file() else shutil.which("monitor") or "monitor"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    make_private_folder(path.parent)
    with written_whole(path) as unfinished:
        unfinished.write_bytes(text.encode())


def _type(*words: str) -> str:
    """``words`` as a line that a terminal takes as they are, in any folder; on Windows, PowerShell."""
    return type_in_powershell(*words) if sys.platform == "win32" else shlex.join(words)


def type_in_powershell(*words: str) -> str:
    """Return ``words`` as a line for PowerShell, and for the older prompt where no letter means more than itself."""
    line = " ".join(map(_quote, words))
    return f"& {line}" if line[0] in "'\"" else line


def _quote(word: str) -> str:
    if re.fullmatch(r"[\w.:\\/-]+", word):
        return word
    return f'"{word}"' if re.fullmatch(r"[\w.:\\/ -]+", word) else f"'{_double_quotes(word)}'"


def _double_quotes(text: str) -> str:
    """Return a text as it stands inside PowerShell's single quotes, which it also takes these other letters for."""
    return re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text)


def _typed_command() -> str:
    """``monitor`` where the terminal finds this one by that name, else its place."""
    place, found = Path(_command()), shutil.which("monitor")
    return "monitor" if found and Path(found).absolute() == place.absolute() else str(place)


def _next_steps(folder: Path) -> tuple[str, ...]:
    """What to do next; a line to type stands by itself."""
    config, monitor = folder / CONFIG, _typed_command()

    def type_line(*words: str) -> str:
        return f":\n   {_type(monitor, *words, '--config', str(config))}"

    return (
        f"Try it with the invented people{type_line('run')}",
        f"Open the newest mail in {folder / 'data' / 'outbox'} with a mail program, and all.xlsx in the newest folder "
        f"of {folder / 'data' / 'exceptions'}",
        f"In {config}, name your own extract in [[sources]], your teams in [[teams]] and your analyst in [people]",
        f"Check it{type_line('check')}",
        f"Rehearse a night, which keeps nothing and sends nothing{type_line('run', '--dry-run')}",
        f"Before the first real night, remove what the invented people left: everything in {folder / 'data'}",
        f"Read {EXAMPLE_RULE} if you want a rule of your own, and templates/ if you want other words: one is used "
        "once you name the folder in the config, so leave in it only those you change",
        f"To run every night, see {folder / 'deploy'} and the page for IT in {folder / 'handbook.html'}; the account "
        f"that runs it must own {folder / 'data'}, and be able to read the rest",
    )
