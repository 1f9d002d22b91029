-- Everyone on the care leavers' table once, with birth and death. A birth date flagged as estimated stands in another
-- column and leaves the first one empty: it is used unless it is still to come (an expected birth).
WITH recorded AS (
    SELECT
        ssd_id(person) AS person_id,
        min(ssd_date(born)) AS born,
        min(ssd_text(born)) FILTER (ssd_day(born) IS NULL) AS unread,
        min(ssd_date(expected)) FILTER (ssd_date(expected) <= getvariable('ssd_as_at')) AS expected,
        coalesce(
            min(ssd_date(died))::VARCHAR, min(ssd_text(died)) FILTER (ssd_day(died) IS NULL)
        ) AS died,
        coalesce(bool_or(upper(ssd_text(mother)) IN ('Y', 'YES', 'TRUE', '1')), false) AS is_mother
    FROM ssd_person
    GROUP BY 1
)
SELECT
    people.person_id,
    recorded.person_id IS NOT NULL AS is_known,
    coalesce(born::VARCHAR, unread, expected::VARCHAR) AS date_of_birth,
    born IS NULL AND unread IS NULL AND expected IS NOT NULL AS is_estimate,
    died,
    is_mother,
    year(getvariable('ssd_as_at')) - year(coalesce(born, expected)) - CASE
        WHEN month(getvariable('ssd_as_at')) * 100 + day(getvariable('ssd_as_at'))
            < month(coalesce(born, expected)) * 100 + day(coalesce(born, expected)) THEN 1
        ELSE 0
    END AS age
FROM ssd_people AS people
LEFT JOIN recorded USING (person_id)
