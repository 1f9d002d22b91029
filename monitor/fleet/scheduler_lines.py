"""Writes what a scheduler needs to run each council's night: nothing is scheduled here, and no secret is in it.

Each line is ``monitor fleet run`` for one council, so that what the fleet refuses is refused there too.
"""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.fleet.fleet_settings import Fleet

MORE_MINUTES = 5
"""The scheduler's own limit is later than the fleet's, which ends a night in order."""
MAIL_GOES = "a night's mail goes as soon as it is run: an hour at which readers are at work"


@dataclass(frozen=True)
class ArrayJob:
    """The nights to schedule. ``program``: how the monitor is started; ``codes``: of the councils."""

    fleet: Fleet
    program: str
    codes: tuple[str, ...]

    @property
    def arguments(self) -> list[str]:
        """Return the command of one council, but for its code."""
        return [self.program, "fleet", "run", "--config", str(self.fleet.path.absolute()), "--only"]


def write_array(job: ArrayJob, scheduler: str) -> list[str]:
    """Return the lines for a scheduler: plain, systemd, slurm or kubernetes."""
    return list(WRITERS[scheduler](job))


def _write_plain(job: ArrayJob) -> list[str]:
    return [shlex.join([*job.arguments, code]) for code in job.codes]


def _write_slurm(job: ArrayJob) -> list[str]:
    return [
        "#!/bin/sh",
        "#SBATCH --job-name=monitor-fleet",
        f"#SBATCH --array=0-{len(job.codes) - 1}%{job.fleet.workers}",
        f"#SBATCH --time={job.fleet.minutes + MORE_MINUTES}",
        *_choose_by_number(job, "SLURM_ARRAY_TASK_ID"),
    ]


def _choose_by_number(job: ArrayJob, variable: str) -> list[str]:
    return [
        shlex.join(["set", "--", *job.codes]),
        f'shift "${variable}"',
        f'exec {shlex.join(job.arguments)} "$1"',
    ]


def _write_systemd(job: ArrayJob) -> list[str]:
    command = " ".join(_quote_for_systemd(argument) for argument in job.arguments)
    timers = [f"monitor-fleet@{code}.timer" for code in job.codes]
    return [
        "# /etc/systemd/system/monitor-fleet@.service",
        "[Unit]",
        "Description=Care-leaver monitor: the night of council %i",
        "",
        "[Service]",
        "Type=oneshot",
        "User=monitor",
        f"ExecStart={command} %i",
        f"TimeoutStartSec={job.fleet.minutes + MORE_MINUTES}min",
        "",
        "# /etc/systemd/system/monitor-fleet@.timer",
        "[Unit]",
        "Description=Care-leaver monitor: every night of council %i",
        "",
        "[Timer]",
        f"# {MAIL_GOES}",
        "OnCalendar=Mon..Fri *-*-* 07:00:00 Europe/London",
        "RandomizedDelaySec=30min",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
        "# then, once",
        "systemctl daemon-reload",
        *(f"systemctl enable --now {timer}" for timer in timers),
    ]


def _quote_for_systemd(argument: str) -> str:
    doubled = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{doubled}"' if re.search(r"[^\w/.:@%+=,-]", doubled) or not doubled else doubled


def _write_kubernetes(job: ArrayJob) -> list[str]:
    """Write a CronJob; texts are written as JSON, which YAML reads alike."""
    script = "\n".join(_choose_by_number(job, "JOB_COMPLETION_INDEX"))
    return [
        "apiVersion: batch/v1",
        "kind: CronJob",
        "metadata:",
        "  name: monitor-fleet",
        "spec:",
        f'  schedule: "0 7 * * 1-5"  # {MAIL_GOES}',
        "  timeZone: Europe/London",
        "  concurrencyPolicy: Forbid",
        "  jobTemplate:",
        "    spec:",
        "      completionMode: Indexed",
        f"      completions: {len(job.codes)}",
        f"      parallelism: {job.fleet.workers}",
        "      backoffLimit: 0",
        "      template:",
        "        spec:",
        "          restartPolicy: Never",
        f"          activeDeadlineSeconds: {(job.fleet.minutes + MORE_MINUTES) * 60}",
        "          containers:",
        "            - name: night",
        "              image: care-leaver-monitor  # your own; mount the configs and data folders, secrets by envFrom",
        f"              command: {json.dumps(['/bin/sh', '-c', script])}",
    ]


WRITERS: dict[str, Callable[[ArrayJob], Sequence[str]]] = {
    "plain": _write_plain,
    "systemd": _write_systemd,
    "slurm": _write_slurm,
    "kubernetes": _write_kubernetes,
}
