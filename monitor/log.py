"""The service's log: one line for each thing done, as text or JSON, of counts and never of a person."""

import logging
import logging.handlers
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from monitor.errors import MonitorError
from monitor.files import make_private_folder

if TYPE_CHECKING:
    import structlog

    Log = structlog.stdlib.BoundLogger

LARGEST_BYTES = 10_000_000
FILES_KEPT = 9
"""Beside the one that is written to."""


def open_log(form: Literal["text", "json"] = "text", file: Path | None = None) -> "Log":
    """Open the log, on the standard error stream or in ``file``, which only its owner can read; used by one process.

    What the scheduler has to complain of goes there too. Libraries that would log addresses are kept quiet.
    """
    import structlog  # only the service has a log, and this library brings all of rich and pygments with it

    stamps: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _join_names,
    ]
    last: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["at", "level", "event"], drop_missing=True)
    )
    handler = _open_handler(file)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=stamps, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    for name, level in (("monitor", logging.INFO), ("apscheduler", logging.ERROR)):
        logger = logging.getLogger(name)
        for old in logger.handlers[:]:
            logger.removeHandler(old)
            old.close()
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    for name in ("httpx", "httpcore"):  # they log whole addresses, which hold secrets
        logging.getLogger(name).setLevel(logging.WARNING)
    wrapped: Log = structlog.wrap_logger(
        logging.getLogger("monitor"),
        processors=[*stamps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return wrapped


def _join_names(_logger: Any, _method: str, line: "structlog.types.EventDict") -> "structlog.types.EventDict":
    """What is counted may have a name of several words, which the text form could not tell from a value."""
    return {name.replace(" ", "_"): value for name, value in line.items()}


def _open_handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    make_private_folder(file.parent)
    try:
        return _PrivateFile(file, maxBytes=LARGEST_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as fault:
        raise MonitorError(
            f"service.log_file: {file}: cannot be written ({fault.strerror}); name a file in a folder of yours"
        ) from None


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """Each file is made readable by its owner only, whatever the umask."""

    def _open(self) -> Any:
        new = os.open(self.baseFilename, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        return os.fdopen(new, self.mode, encoding=self.encoding)

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Begin a new file; where another program holds an old one open, go on in the one in use."""
        with suppress(OSError):
            super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """A disk that is full must not stop the night for the sake of its log."""


def place_of(fault: BaseException) -> str:
    """Return where a defect arose, as ``module.py:line`` in this package; its words, which may hold anything, never."""
    found = "elsewhere"
    step = fault.__traceback__
    while step is not None:
        path = Path(step.tb_frame.f_code.co_filename)
        if path.is_relative_to(Path(__file__).parent):
            found = f"{path.relative_to(Path(__file__).parent).as_posix()}:{step.tb_lineno}"
        step = step.tb_next
    return found
