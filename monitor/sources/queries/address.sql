-- The newest open address: since when, and its postcode without spaces; placeholders of every kind are none.
WITH open_ones AS (
    SELECT
        ssd_id(person) AS person_id,
        ssd_date(started) AS started,
        upper(regexp_replace(ssd_text(postcode), '[^A-Za-z0-9]', '', 'g')) AS postcode
    FROM ssd_address
    WHERE coalesce(ssd_date(ended) > getvariable('ssd_as_at'), ssd_text(ended) IS NULL OR ssd_day(ended) IS NOT NULL)
        AND coalesce(ssd_date(started) <= getvariable('ssd_as_at'), true)
)
SELECT
    person_id,
    max(started) AS started,
    first(postcode ORDER BY started DESC NULLS LAST, postcode)
        FILTER (regexp_full_match(postcode, '[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}') AND NOT starts_with(postcode, 'ZZ99'))
        AS postcode
FROM open_ones
GROUP BY person_id
