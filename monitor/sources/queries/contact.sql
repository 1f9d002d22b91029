-- What the newest contact row says of each person. Rows multiply (eligibility by contact history), databases disagree
-- on where an empty date sorts, and a date still to come is a slip: a row with a date that can be is preferred.
WITH rows_of AS (
    SELECT
        ssd_id(person) AS person_id,
        ssd_date(contact) AS contact,
        CASE WHEN ssd_day(contact) IS NULL THEN ssd_text(contact) END AS unread,
        ssd_text(in_touch) AS in_touch,
        ssd_text(accommodation) AS accommodation,
        ssd_text(suitable) AS suitable,
        ssd_text(activity) AS activity,
        list_contains(getvariable('ssd_died'), ssd_text(in_touch)) AS says_died
    FROM ssd_care_leavers
),
placed AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY person_id
            ORDER BY
                CASE WHEN contact <= getvariable('ssd_as_at') THEN 0 WHEN contact IS NOT NULL THEN 1 ELSE 2 END,
                contact DESC,
                (in_touch IS NULL)::INT + (accommodation IS NULL)::INT + (suitable IS NULL)::INT + (activity IS NULL)::INT,
                in_touch, accommodation, suitable, activity
        ) AS place
    FROM rows_of
)
SELECT
    person_id,
    max(coalesce(contact::VARCHAR, unread)) FILTER (place = 1) AS contact,
    -- Whoever has died in any row has died.
    coalesce(min(in_touch) FILTER (says_died), min(in_touch) FILTER (place = 1)) AS in_touch,
    min(accommodation) FILTER (place = 1) AS accommodation,
    min(suitable) FILTER (place = 1) AS suitable,
    min(activity) FILTER (place = 1) AS activity,
    bool_or(coalesce(contact::VARCHAR, unread, in_touch, accommodation, suitable, activity) IS NOT NULL) AS has_contact,
    count(DISTINCT (contact, in_touch, accommodation, suitable, activity)) AS contacts
FROM placed
GROUP BY person_id
