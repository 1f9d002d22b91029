"""Withholds small counts of several authorities, so that what is given tells none of them: the one home of the rule.

Counts are of one measure of one authority: ``asked`` = ``met`` + ``breach`` + ``cannot_assess``. Nought is given as it
is. Everybody may know how many were asked, from another measure of the same people, so a count is never hidden alone:

- 1 to 5 in breach, or not assessed: that count is withheld, and those who meet the measure with it.
- Both of them, or 1 to 5 who meet it, or too few of both together to hide one in the other: all three are withheld.
- 1 to 5 asked: that is withheld too.
- All authorities together: a part is given where those withheld in it hide each other, and withheld otherwise.
- A percentage is given where all that the withheld counts may be makes the same one, so that it tells nothing more;
  with those in breach of one authority withheld, there is none.

So whatever is subtracted from whatever, each small count in breach or not assessed may be any of 1 to 5, and every
withheld count any of five values or more; the tests try it in every small table, by somebody who knows this rule.

Many measures ask parts of the same people: 235 of one and 233 of another are 2 who do not want contact. So figures
that leave the councils (``publish_rows_sql``, ``publish_totals_sql``) tell how many were asked, and could be assessed,
to the nearest 5 only, and between what a percentage of that lies. What figures of two nights tell together is beyond
this rule.

The rule is SQL that DuckDB, PostgreSQL and Spark all run, so that a database can hold it in a view: a withheld count is
NULL.
"""

SUPPRESS_BELOW = 6
"""Counts from 1 and below this are withheld, as the Department for Education does."""
WITHHELD = "c"
"""What stands for a withheld count, as in the Department's own figures."""

PARTS = ("met", "breach", "cannot_assess")
COUNTS = ("asked", *PARTS, "percent")
"""The columns of counts that ``suppress_rows_sql`` and ``suppress_totals_sql`` make, in order."""
RANGES = ("least_breach", "most_breach", "least_assessed", "most_assessed")
"""What ``suppress_totals_sql`` makes after those: between which numbers those in breach, and assessed, lie."""
NEAREST = 5
PUBLISHED = (
    "numerator", "numerator_least", "numerator_most", "denominator", "cannot_assess", "asked", "percent_least",
    "percent_most",
)  # fmt: skip
"""The columns of counts that ``publish_rows_sql`` and ``publish_totals_sql`` make, in order."""

NOT_TOLD = {
    "asked": "('asked')",
    "met": "('breach', 'cannot_assess', 'both', 'all', 'asked')",
    "breach": "('breach', 'both', 'all', 'asked')",
    "cannot_assess": "('cannot_assess', 'both', 'all', 'asked')",
}
"""The ways of withholding that withhold each count of an authority."""


def suppress_rows_sql(rows: str, below: int = SUPPRESS_BELOW) -> str:
    """Return the SQL for what may be told of each authority: authority, measure and ``COUNTS``.

    ``rows``: a table, or a query in brackets, of authority, measure, met, breach and cannot_assess, none of them NULL.
    """
    told = ", ".join(f"CASE WHEN withheld NOT IN {ways} THEN {name} END AS {name}" for name, ways in NOT_TOLD.items())
    percent = _percent_sql("breach", "(asked - least_c)", "(asked - most_c)")
    return f"""
SELECT authority, measure, {told},
    CASE WHEN withheld IN ('nothing', 'cannot_assess') THEN {percent} END AS percent
FROM (
    SELECT judged.*,
        CASE WHEN withheld = 'cannot_assess' THEN 1 ELSE cannot_assess END AS least_c,
        CASE WHEN withheld = 'cannot_assess' THEN {below - 1} ELSE cannot_assess END AS most_c
    FROM ({_judge_sql(rows, below)}) AS judged
) AS told"""


def suppress_totals_sql(rows: str, below: int = SUPPRESS_BELOW) -> str:
    """Return the SQL for what may be told of all authorities together: measure, authorities, ``COUNTS``, ``RANGES``.

    ``authorities``: how many have the measure. ``rows`` as for ``suppress_rows_sql``.
    """
    sums = ",\n        ".join(
        f"sum({name}) AS {name}, count(*) FILTER (WHERE withheld IN {ways}) AS {name}_n,"
        f" coalesce(sum({name}) FILTER (WHERE withheld IN {ways}), 0) AS {name}_r"
        for name, ways in NOT_TOLD.items()
        if name != "met"
    )
    # Of what is withheld of an authority where all is: nought to all who were asked.
    least = {name: f"count(*) FILTER (WHERE withheld IN ('{name}', 'both'))" for name in ("breach", "cannot_assess")}
    least["asked"] = "count(*) FILTER (WHERE withheld = 'asked')"
    most_of_all = f"""coalesce(sum(asked) FILTER (WHERE withheld = 'all'), 0)
            + {below - 1} * count(*) FILTER (WHERE withheld = 'asked')"""
    most = {name: f"{below - 1} * {number}" for name, number in least.items()}
    told = {name: _hidden_in_each_other_sql(name, below) for name in ("breach", "cannot_assess")}
    told["asked"] = f"(asked_n = 0 OR asked_r BETWEEN asked_n + {below - 2} AND (asked_n - 1) * {below - 1} + 1)"
    told["met"] = f"{told['asked']} AND {told['breach']} AND {told['cannot_assess']}"

    def end(name: str, which: str) -> str:
        return f"CASE WHEN {told[name]} THEN {name} ELSE {name} - {name}_r + {name}_{which} END"

    ends = ", ".join(f"{end(name, which)} AS {which}_{name}" for name in least for which in ENDS)
    given = ", ".join(f"CASE WHEN {told[name]} THEN {name} END AS {name}" for name in ("asked", *PARTS))
    low = _round_percent_sql("least_breach", "most_assessed")
    high = _round_percent_sql("most_breach", "least_assessed")
    return f"""
SELECT measure, authorities, {given},
    CASE WHEN least_assessed > 0 THEN CASE WHEN {low} = {high} THEN {low} END END AS percent, {", ".join(RANGES)}
FROM (
    SELECT ranged.*, least_asked - most_cannot_assess AS least_assessed,
        most_asked - least_cannot_assess AS most_assessed
    FROM (
    SELECT summed.*, {ends}
    FROM (
        SELECT measure, count(*) AS authorities, sum(met) AS met,
        {sums},
        {least["asked"]} AS asked_least, {most["asked"]} AS asked_most,
        {least["breach"]} AS breach_least, {most["breach"]} + {most_of_all} AS breach_most,
        {least["cannot_assess"]} AS cannot_assess_least,
        {most["cannot_assess"]} + {most_of_all} AS cannot_assess_most,
        count(*) FILTER (WHERE withheld IN ('all', 'asked') AND asked < {2 * (below - 1)}) AS few
        FROM ({_judge_sql(rows, below)}) AS judged
        GROUP BY measure
    ) AS summed
    ) AS ranged
) AS rounded"""


def publish_rows_sql(rows: str, below: int = SUPPRESS_BELOW) -> str:
    """Return the SQL for what may leave the councils of each: authority, measure and ``PUBLISHED``.

    ``rows`` as for ``suppress_rows_sql``.
    """
    # Where those who cannot be assessed are withheld, they are 1 to below - 1 of those who were asked.
    most = f"CASE WHEN met IS NULL THEN {nearest_sql('asked')} - 1 ELSE {nearest_sql('met + breach')} END"
    least = f"CASE WHEN met IS NULL THEN {nearest_sql('asked')} - {below - 1} ELSE {nearest_sql('met + breach')} END"
    return f"""
SELECT authority, measure, breach AS numerator, breach AS numerator_least, breach AS numerator_most,
    {nearest_sql("met + breach")} AS denominator, cannot_assess, {nearest_sql("asked")} AS asked,
    {_percent_ends_sql("breach", "breach", least, most)}
FROM ({suppress_rows_sql(rows, below)}) AS suppressed"""


def publish_totals_sql(rows: str, below: int = SUPPRESS_BELOW) -> str:
    """Return the SQL for what may leave the councils of all together: measure, authorities and ``PUBLISHED``.

    ``rows`` as for ``suppress_rows_sql``.
    """
    ends = _percent_ends_sql("least_breach", "most_breach", nearest_sql("least_assessed"), nearest_sql("most_assessed"))
    return f"""
SELECT measure, authorities, breach AS numerator, least_breach AS numerator_least, most_breach AS numerator_most,
    {nearest_sql("met + breach")} AS denominator, cannot_assess, {nearest_sql("asked")} AS asked, {ends}
FROM ({suppress_totals_sql(rows, below)}) AS suppressed"""


def nearest_sql(number: str) -> str:
    """Return the SQL for a number to the nearest 5; NULL stays NULL."""
    return f"CAST(floor(({number} + {NEAREST // 2}) / {NEAREST}.0) * {NEAREST} AS BIGINT)"


def _percent_ends_sql(least: str, most: str, least_of: str, most_of: str) -> str:
    """Return between what a percentage lies; both wholes are to the nearest 5, and at most all are in breach."""
    around = NEAREST // 2
    low, high = f"(({most_of}) + {around})", f"(({least_of}) - {around})"
    return f"""CASE WHEN ({most_of}) > 0 THEN CASE WHEN {least} > {low} THEN 100
        ELSE {_round_percent_sql(least, low)} END END AS percent_least,
    CASE WHEN ({most_of}) > 0 THEN CASE WHEN {most} = 0 THEN 0 WHEN {most} >= {high} THEN 100
        ELSE {_round_percent_sql(most, high)} END END AS percent_most"""


ENDS = ("least", "most")


def _judge_sql(rows: str, below: int) -> str:
    """Return the rows with how many were asked, and what of each is withheld: nothing, a part, all parts, or asked too.

    A small count and those who meet the measure hide each other from ``2 * below - 1`` on: whichever small count it
    is, those who meet it are not few. ``both`` withholds as much as ``all``, where it may be known that both other
    parts are small: whichever they are, those who meet it are not few.
    """

    def small(name: str) -> str:
        return f"{name} BETWEEN 1 AND {below - 1}"

    return f"""
        SELECT counted.*, CASE
            WHEN NOT ({small("met")} OR {small("breach")} OR {small("cannot_assess")}) THEN 'nothing'
            WHEN asked < {below} THEN 'asked'
            WHEN {small("breach")} AND NOT {small("cannot_assess")} AND met + breach >= {2 * below - 1} THEN 'breach'
            WHEN {small("cannot_assess")} AND NOT {small("breach")} AND met + cannot_assess >= {2 * below - 1}
                THEN 'cannot_assess'
            WHEN {small("cannot_assess")} AND {small("breach")} AND asked >= {3 * below - 2} THEN 'both'
            ELSE 'all' END AS withheld
        FROM (
            SELECT authority, measure, met, breach, cannot_assess, met + breach + cannot_assess AS asked
            FROM {rows} AS raw
        ) AS counted"""


def _hidden_in_each_other_sql(name: str, below: int) -> str:
    """Return whether the withheld counts of a part may be summed: each may still be any of 1 to ``below - 1``."""
    return f"({name}_n = 0 OR few = 0 AND {name}_r BETWEEN {name}_n + {below - 2} AND ({name}_n - 1) * {below - 1} + 1)"


def _percent_sql(part: str, most_of: str, least_of: str) -> str:
    """Return the percentage of a part in ``least_of`` to ``most_of``, NULL where it may be several."""
    low, high = _round_percent_sql(part, most_of), _round_percent_sql(part, least_of)
    return f"CASE WHEN {least_of} > 0 THEN CASE WHEN {low} = {high} THEN {low} END END"


def _round_percent_sql(part: str, whole: str) -> str:
    """Return a percentage; a half goes to the even number, as where the report rounds."""
    halves = f"(200 * {part} + {whole})"
    up = f"floor({halves} / (2.0 * {whole}))"
    return f"CAST({up} - CASE WHEN {halves} % (2 * {whole}) = 0 AND {up} % 2 = 1 THEN 1 ELSE 0 END AS INTEGER)"
