"""What is published of several authorities tells no small count, whatever is subtracted from whatever."""

import itertools
from collections import defaultdict

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.figures.suppression import (
    publish_rows_sql,
    publish_totals_sql,
    suppress_rows_sql,
    suppress_totals_sql,
)
from monitor.report.page import share

Parts = tuple[int, int, int]
"""Met, breach and cannot assess."""
C = None


@pytest.fixture(scope="module")
def workspace():
    with duckdb.connect() as opened:
        yield opened


def publish(workspace, tables: dict[str, list[Parts]], below: int = 6):
    """Return, by measure, what is told of each authority, in order, and of all together."""
    parts = [(measure, n, *part) for measure, table in tables.items() for n, part in enumerate(table)]
    columns = ["authority", "met", "breach", "cannot_assess"]
    workspace.execute(
        "CREATE OR REPLACE TABLE raw (measure VARCHAR, authority INT, met INT, breach INT, cannot_assess INT)"
    )
    values = {"measure": [row[0] for row in parts], **{c: [row[n + 1] for row in parts] for n, c in enumerate(columns)}}
    unnested = ", ".join(f"unnest(${name})" for name in ("measure", *columns))
    workspace.execute(f"INSERT INTO raw SELECT {unnested}", values)
    told = defaultdict(list)
    for _authority, measure, *counts in workspace.execute(
        f"SELECT * FROM ({suppress_rows_sql('raw', below)}) ORDER BY measure, authority"
    ).fetchall():
        told[measure].append(tuple(counts))
    totals = {
        measure: tuple(counts)
        for measure, _, *counts in workspace.execute(suppress_totals_sql("raw", below)).fetchall()
    }
    return told, totals


# Asked, met, breach, cannot assess, percent.
@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((0, 0, 0), (0, 0, 0, 0, C)),
        ((300, 0, 0), (300, 300, 0, 0, 0)),
        ((0, 6, 0), (6, 0, 6, 0, 100)),
        ((297, 27, 6), (330, 297, 27, 6, 8)),
        ((300, 1, 0), (301, C, C, 0, C)),
        ((300, 5, 40), (345, C, C, 40, C)),
        ((300, 6, 40), (346, 300, 6, 40, 2)),
        ((300, 20, 3), (323, C, 20, C, 6)),
        ((20, 20, 3), (43, C, 20, C, C)),
        ((300, 3, 3), (306, C, C, C, C)),
        ((3, 300, 0), (303, C, C, C, C)),
        ((6, 3, 50), (59, C, C, C, C)),
        ((8, 3, 50), (61, C, C, 50, C)),
        ((0, 3, 0), (C, C, C, C, C)),
        ((5, 0, 0), (C, C, C, C, C)),
    ],
)
def test_a_count_of_1_to_5_is_withheld_with_what_would_tell_it(workspace, parts, told):
    rows, totals = publish(workspace, {"homeless": [parts]})
    assert rows["homeless"] == [told]
    assert totals["homeless"][:4] == told[:4]


def test_all_authorities_together_are_told_where_the_withheld_counts_of_2_or_more_hide_each_other(workspace):
    one = [(300, 3, 0), (400, 30, 0), (500, 40, 0)]
    two = [(300, 2, 0), (400, 4, 0), (500, 40, 0)]
    few = [(300, 1, 0), (400, 1, 0), (500, 40, 0)]
    _, totals = publish(workspace, {"one": one, "two": two, "few": few})
    assert totals == {
        "one": (1273, C, C, 0, 6, 71, 75, 1273, 1273),
        "two": (1246, 1200, 46, 0, 4, 46, 46, 1246, 1246),
        "few": (1242, C, C, 0, C, 42, 50, 1242, 1242),
    }


def test_parts_of_fewer_than_10_asked_are_not_summed_since_they_bound_each_other(workspace):
    """Of 9 asked, 5 in breach leave at most 4 who cannot be assessed: sums of both would narrow them."""
    _, totals = publish(workspace, {"nine": [(3, 3, 3), (3, 3, 3)], "ten": [(4, 3, 3), (4, 3, 3)]})
    assert totals["nine"][:4] == (18, C, C, C)
    assert totals["ten"][:4] == (20, 8, 6, 6)


def test_nothing_is_withheld_below_1(workspace):
    rows, totals = publish(workspace, {"homeless": [(1, 2, 1), (0, 1, 0)]}, below=1)
    assert rows["homeless"] == [(4, 1, 2, 1, 67), (1, 0, 1, 0, 100)]
    assert totals["homeless"] == (5, 1, 3, 1, 75, 3, 3, 4, 4)


def test_a_percentage_is_rounded_as_in_the_report(workspace):
    table = [(rest, part, 0) for part in range(40) for rest in range(40) if part + rest]
    rows, _ = publish(workspace, {"homeless": table}, below=1)
    assert [row[-1] for row in rows["homeless"]] == [share(part, rest) for rest, part, _ in table]


def leave(workspace, table: list[Parts], below: int = 6):
    """Return what may leave the councils of each, and of all together."""
    publish(workspace, {"any": table}, below)
    rows = workspace.execute(f"SELECT * FROM ({publish_rows_sql('raw', below)}) ORDER BY authority").fetchall()
    (total,) = workspace.execute(publish_totals_sql("raw", below)).fetchall()
    return [row[2:] for row in rows], total[2:]


def test_figures_that_leave_the_councils_tell_how_many_were_asked_to_the_nearest_5(workspace):
    rows, total = leave(
        workspace, [(300, 20, 12), (300, 3, 0), (200, 20, 3), (0, 0, 0), (0, 9, 0), (0, 0, 9), (2, 0, 0)]
    )

    # In breach, least, most; assessed, cannot assess, asked; the percentage, least and most.
    assert rows == [
        (20, 20, 20, 320, 12, 330, 6, 6),
        (C, C, C, C, 0, 305, C, C),
        (20, 20, 20, C, C, 225, 9, 9),
        (0, 0, 0, 0, 0, 0, C, C),
        (9, 9, 9, 10, 0, 10, 75, 100),
        (0, 0, 0, 0, 9, 10, C, C),
        (C, C, C, C, C, C, C, C),
    ]
    assert total == (C, 50, 59, C, C, C, 6, 7)


@pytest.mark.parametrize("below", [6, 10])
def test_the_difference_of_two_measures_of_the_same_people_tells_no_small_count(workspace, below):
    asked = range(38, 63)  # whole fives
    rows, _ = leave(workspace, [(count - 20, 20, 0) for count in asked], below)
    alike = defaultdict(set)
    for (more, told), (fewer, other) in itertools.product(zip(asked, rows, strict=True), repeat=2):
        if more > fewer:
            alike[told, other].add(more - fewer)

    near = [differences for differences in alike.values() if min(differences) < 6]
    assert near
    assert all(differences >= {1, 2, 3, 4} for differences in near)


def _triples(most: int) -> list[Parts]:
    return [
        (met, breach, asked - met - breach)
        for asked in range(most + 1)
        for met in range(asked + 1)
        for breach in range(asked - met + 1)
    ]


def _attack(tables: list[list[Parts]], rows, totals, below: int) -> None:
    """Check that whoever knows the rule, all that is published and how many were asked cannot narrow a small count."""
    worlds = defaultdict(list)
    for n, table in enumerate(tables):
        asked = tuple(sum(parts) if sum(parts) >= below else C for parts in table)
        worlds[asked, tuple(rows[str(n)]), totals[str(n)]].append(table)
    few = set(range(1, below))
    for (_, told, _), alike in worlds.items():
        for authority, counts in enumerate(told):
            if counts[0] is C:
                assert {sum(table[authority]) for table in alike} >= few, (told, alike[:3])
                continue
            met, *others = ({table[authority][part] for table in alike} for part in range(3))
            assert counts[1] is not C or len(met) >= below - 1, (told, alike[:3])
            for count, could_be in zip(counts[2:4], others, strict=True):
                assert count is not C or could_be >= few or (min(could_be) >= below and len(could_be) >= below - 1), (
                    told,
                    alike[:3],
                )


@pytest.mark.parametrize(
    ("authorities", "most", "below"),
    [
        (1, 24, 6),
        (2, 8, 3),
        (3, 4, 3),
        pytest.param(2, 11, 4, marks=pytest.mark.simulation),
        pytest.param(3, 5, 3, marks=pytest.mark.simulation),
    ],
)
def test_no_table_is_told_from_others_by_a_small_count_with_1_to_3_authorities(workspace, authorities, most, below):
    tables = [list(table) for table in itertools.product(_triples(most), repeat=authorities)]
    named = {str(n): table for n, table in enumerate(tables)}
    _attack(tables, *publish(workspace, named, below), below)


@pytest.fixture(scope="module")
def worlds(workspace):
    """Asked, breach and cannot assess of whatever authority is published alike, of up to 40 people."""
    triples = _triples(40)
    rows, _ = publish(workspace, {"any": triples})
    alike = defaultdict(set)
    for told, (met, breach, cannot_assess) in zip(rows["any"], triples, strict=True):
        alike[told].add((met + breach + cannot_assess, breach, cannot_assess))
    return alike


SMALL = st.integers(0, 7)
AUTHORITY = st.one_of(st.tuples(st.integers(0, 26), SMALL, SMALL), st.tuples(SMALL, st.integers(0, 26), SMALL))


@settings(max_examples=40, deadline=None)
@given(st.lists(AUTHORITY, min_size=2, max_size=4))
def test_no_total_narrows_what_a_withheld_count_of_1_to_5_may_be(workspace, worlds, table):
    rows, totals = publish(workspace, {"any": table})
    asked, _, breach, cannot_assess, *_ = totals["any"]
    wanted = [n for n, total in enumerate((asked, breach, cannot_assess)) if total is not C]
    total = tuple((asked, breach, cannot_assess)[n] for n in wanted)
    told = rows["any"]
    for n, counts in enumerate(told):
        others = {(0,) * len(wanted)}
        for other in told[:n] + told[n + 1 :]:
            seen = {tuple(world[n] for n in wanted) for world in worlds[other]}
            others = {tuple(map(sum, zip(one, more, strict=True))) for one in others for more in seen}
        left = [
            world
            for world in worlds[counts]
            if tuple(whole - world[n] for n, whole in zip(wanted, total, strict=True)) in others
        ]
        for place, part in enumerate((0, 2, 3)):
            could_be = {world[place] for world in left}
            known_few = counts[0] is C and place > 0
            if counts[part] is not C or known_few:
                continue
            assert could_be >= {1, 2, 3, 4, 5} or (min(could_be) >= 6 and len(could_be) >= 5), (counts, could_be)
