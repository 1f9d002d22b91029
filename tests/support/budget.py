"""What each thing may cost: the aims in one place, and whether what was measured keeps them."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

import pytest
from support.measured import MORE_ROUNDS, ROUNDS, Measured

ALL = os.environ.get("MONITOR_BENCHMARKS") == "all"
"""Whether the large sizes are measured too."""


@dataclass(frozen=True)
class Aim:
    """At most this many times the probe's CPU, and this much memory if it says so."""

    ratio: float
    megabytes: float | None = None
    unit: str = "x"


AIMS: Mapping[str, Aim] = {
    "20 people, first night": Aim(3.5),
    "20 people, a warm night": Aim(1.6),  # to be 1.0: two hundred statements are not yet planned in less
    "1,500 people, first night": Aim(4.0, 215),
    "1,500 people, second night": Aim(4.2, 215),
    "1,500 people, same night again": Aim(3.4, 215),
    "900 people, teams' pages": Aim(0.25),
    "80,000 people, first night": Aim(0.16, 500, "x for each 1,000 people more"),
    "80,000 people, second night": Aim(0.16, 500, "x for each 1,000 people more"),
    "80,000 people, same night again": Aim(0.16, 500, "x for each 1,000 people more"),
    "80,000 people, csv read": Aim(2.8),
    "80,000 people, xlsx read": Aim(8.0),
    "1,000,000 people, read, type and ask": Aim(2.5, 600, "x the fused scan"),
    "1,500 people, report of two years": Aim(5.0),
    "80,000 people, report of two years": Aim(16.0),
    "300,000 people, a scan": Aim(20.0, 250, "x a bare scan"),
    "300,000 people, a scan and its checks": Aim(3.4, None, "x its rules"),
    "10,000,000 people, a scan": Aim(13.0, 400, "x a bare scan"),
    "10,000,000 people, a scan and its checks": Aim(2.0, None, "x its rules"),
    "a given caseload, a scan": Aim(13.0, 400, "x a bare scan"),
    "a given caseload, a scan and its checks": Aim(2.0, None, "x its rules"),
    "100,000 people over HTTP": Aim(8.0, 400, "x a bare fetch"),
    "100,000 people, a query of PostgreSQL": Aim(8.0, 600, "x a bare fetch"),
    "100,000 people, the dataset of PostgreSQL": Aim(14.0, 600, "x a bare fetch"),
    "--help": Aim(0.4),
    "status": Aim(1.2),
    "rules show": Aim(1.2),
    "measures": Aim(1.2),
    "waive": Aim(1.2),
    "explain": Aim(2.0),
    "export": Aim(2.0),
    "check": Aim(2.0),
    "audit": Aim(2.0),
}
"""A night of 0.08 ms a person is 0.16 of a probe of half a second for each 1,000."""


WHAT_TO_DO = """\
Find what the last changes added (python -X importtime, cProfile, the statements of a night) and take it away again; an
aim is only raised by a decision of its own, with its reason in the commit."""
BEYOND_DOUBT = 1.25
MACHINES_DIFFER = 1.1
"""The same night is up to a tenth dearer beside the probe on one machine than on another."""


def line(measured: Measured, aim: Aim) -> str:
    """Print one thing measured beside its aim: ``what, ratio, aim, seconds, MB``."""
    memory = f"{measured.peak:6.0f} MB" + ("" if aim.megabytes is None else f" (aim {aim.megabytes:.0f})")
    seconds = median(measured.seconds)
    return f"{measured.what:<42} {measured.ratio:6.2f} aim {aim.ratio:5.2f}{aim.unit} {seconds:7.2f} s {memory}"


def passed(measured: Measured, aim: Aim) -> list[str]:
    """Say which figure passed which aim, and by how much; nothing if both are kept."""
    said = []
    if measured.ratio > aim.ratio * MACHINES_DIFFER:
        over = f"{measured.ratio / aim.ratio - 1:.0%}"
        said.append(f"{measured.what}: CPU {measured.ratio:.2f}, aim {aim.ratio:.2f}{aim.unit}: {over} over")
    if aim.megabytes is not None and measured.peak > aim.megabytes:
        over = f"{measured.peak - aim.megabytes:.0f} MB"
        said.append(f"{measured.what}: peak {measured.peak:.0f} MB, aim {aim.megabytes:.0f} MB: {over} over")
    return said


def judge(measured: Iterable[Measured], aims: Mapping[str, Aim] = AIMS) -> None:
    """Print every line, and fail with all the aims that were passed; a thing without an aim is an error."""
    results = list(measured)
    print("", *(line(one, aims[one.what]) for one in results), sep="\n")
    over = [fault for one in results for fault in passed(one, aims[one.what])]
    if over:
        pytest.fail("\n".join(["past the aims of tests/support/budget.py:", *over, WHAT_TO_DO]), pytrace=False)


def settled(measure: Callable[[range], dict[str, Measured]], aims: Mapping[str, Aim] = AIMS) -> list[Measured]:
    """Measure a few rounds, and more where an aim is passed by little, so that one bad moment is no failure."""
    measured = measure(range(ROUNDS))
    over = [one.ratio / aims[name].ratio for name, one in measured.items() if passed(one, aims[name])]
    if over and max(over) < BEYOND_DOUBT:
        more = measure(range(ROUNDS, ROUNDS + MORE_ROUNDS))
        measured = {name: one + more[name] for name, one in measured.items()}
    return list(measured.values())


def growth(large: Measured, small: Measured, thousands: float) -> Measured:
    """Put the CPU of a large night above the same small one in the small one's probes, for each 1,000 people more."""
    fixed, probe = median(small.seconds), median(small.probes)
    grown = tuple((seconds - fixed) / thousands for seconds in large.seconds)
    return Measured(large.what, grown, (probe,) * len(grown), large.megabytes)
