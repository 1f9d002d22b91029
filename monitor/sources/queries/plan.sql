-- The latest pathway plan of each person's rows; an empty date, or 1900 in its place, never wins.
SELECT
    ssd_id(person) AS person_id,
    coalesce(
        max(ssd_date(plan)) FILTER (ssd_date(plan) <= getvariable('ssd_as_at')),
        max(ssd_date(plan))
    ) AS plan,
    min(ssd_text(plan)) FILTER (ssd_day(plan) IS NULL) AS unread
FROM ssd_care_leavers
GROUP BY 1
