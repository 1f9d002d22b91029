-- One eligibility per person out of a history of them: the one that fits the age. From 18 nobody stops being former
-- relevant. Under 18, whoever is in care is eligible and whoever has left is relevant. A missing status was replaced by
-- "No Current Eligibility", so that stands only where nothing else does.
WITH in_care AS (
    SELECT
        ssd_id(person) AS person_id,
        bool_or(
            coalesce(ssd_date(started) <= getvariable('ssd_as_at'), true)
            AND coalesce(ssd_date(ceased) > getvariable('ssd_as_at'), true)
        ) AS in_care
    FROM ssd_cla_episodes
    GROUP BY 1
),
recorded AS (
    SELECT DISTINCT ssd_id(person) AS person_id, ssd_text(eligibility) AS eligibility, meaning.category
    FROM ssd_care_leavers
    LEFT JOIN ssd_meaning AS meaning ON meaning.text = ssd_text(eligibility)
    WHERE ssd_text(eligibility) IS NOT NULL
),
ranked AS (
    SELECT
        recorded.*,
        CASE
            WHEN category IS NULL THEN 5
            WHEN category = 'no current eligibility' THEN 6
            WHEN category = 'qualifying' THEN 4
            WHEN age >= 18 THEN CASE category WHEN 'former relevant' THEN 1 WHEN 'relevant' THEN 2 ELSE 3 END
            WHEN category = 'former relevant' THEN 3
            WHEN coalesce(in_care, false) THEN CASE category WHEN 'eligible' THEN 1 ELSE 2 END
            ELSE CASE category WHEN 'relevant' THEN 1 ELSE 2 END
        END AS rank
    FROM recorded
    JOIN ssd_person_step USING (person_id)
    LEFT JOIN in_care USING (person_id)
)
SELECT
    person_id,
    first(eligibility ORDER BY rank, eligibility) AS eligibility,
    count(DISTINCT coalesce(category, eligibility)) AS recorded
FROM ranked
GROUP BY person_id
