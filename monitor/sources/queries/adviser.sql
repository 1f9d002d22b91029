-- Each person's involvements of an adviser: who is open now, since when, and how often it changed in a year.
WITH involved AS (
    SELECT DISTINCT
        ssd_id(i.person) AS person_id,
        ssd_worker(i.professional) AS professional,
        ssd_worker(i.team) AS team,
        ssd_date(i.started) AS started,
        ssd_date(i.ended) AS ended,
        ssd_text(i.ended) IS NOT NULL AND ssd_day(i.ended) IS NULL AS end_unread,
        coalesce(
            regexp_matches(
                lower(i.reason), '\badmin|\bsystem\b|migrat|data (fix|correct|qual|clean)|in error|input error|restructur|re-?organi[sz]'
            ),
            false
        ) AS is_administrative
    FROM ssd_involvements AS i
    LEFT JOIN ssd_listed_step AS listed ON listed.person_id = ssd_id(i.person)
    WHERE ssd_worker(i.professional) IS NOT NULL
        AND CASE getvariable('ssd_confirmed_by')
            WHEN 'role' THEN list_contains(getvariable('ssd_adviser_roles'), ssd_text(i.role))
            WHEN 'worker' THEN ssd_worker(i.professional) = listed.adviser
            ELSE false
        END
),
standing AS (
    SELECT
        *,
        NOT end_unread AND coalesce(ended > getvariable('ssd_as_at'), true)
            AND coalesce(started <= getvariable('ssd_as_at'), true) AS is_open,
        coalesce(ended = started, false) AS is_same_day
    FROM involved
),
-- Runs of rows of one worker: a row closed and opened again the next day is no change.
marked AS (
    SELECT *, lag(professional) OVER by_start AS previous FROM standing WHERE NOT is_same_day
    WINDOW by_start AS (PARTITION BY person_id ORDER BY started NULLS FIRST, ended NULLS LAST, professional)
),
runs AS (
    SELECT *, count(*) FILTER (previous IS DISTINCT FROM professional) OVER by_start AS run FROM marked
    WINDOW by_start AS (
        PARTITION BY person_id ORDER BY started NULLS FIRST, ended NULLS LAST, professional ROWS UNBOUNDED PRECEDING
    )
),
chosen AS (
    SELECT
        runs.*,
        min(started) OVER (PARTITION BY person_id, run) AS since,
        row_number() OVER (
            PARTITION BY person_id
            ORDER BY
                is_open DESC, coalesce(professional = listed.adviser, false) DESC, started DESC NULLS LAST, professional
        ) AS place
    FROM runs
    LEFT JOIN ssd_listed_step AS listed USING (person_id)
    QUALIFY is_open
),
changes AS (
    SELECT person_id, count(*) FILTER (
        previous <> professional AND started > getvariable('ssd_as_at') - INTERVAL 12 MONTH
    ) AS changes
    FROM (
        SELECT *, lag(professional) OVER (
            PARTITION BY person_id ORDER BY started NULLS FIRST, ended NULLS LAST, professional
        ) AS previous
        FROM standing
        WHERE NOT is_same_day AND NOT is_administrative
    )
    GROUP BY person_id
)
SELECT
    person_id,
    chosen.professional,
    chosen.team,
    chosen.since,
    chosen.person_id IS NOT NULL AS is_open,
    coalesce(changes.changes, 0) AS changes
FROM (SELECT DISTINCT person_id FROM standing)
LEFT JOIN (SELECT * FROM chosen WHERE place = 1) AS chosen USING (person_id)
LEFT JOIN changes USING (person_id)
