-- Whether any immigration status, ended ones too, is that of an unaccompanied child: descriptions come in many forms.
SELECT
    ssd_id(person) AS person_id,
    bool_or(
        regexp_matches(lower(ssd_text(status)), '\buasc\b|unaccompanied')
        AND NOT regexp_matches(lower(ssd_text(status)), '\b(not|non|never)\b')
    ) AS uasc
FROM ssd_immigration_status
WHERE ssd_text(status) IS NOT NULL
GROUP BY 1
