-- The adviser, worker and team that each person's rows name, the row with the newest contact first.
SELECT
    ssd_id(person) AS person_id,
    first(ssd_worker(adviser) ORDER BY ssd_date(contact) DESC NULLS LAST, adviser)
        FILTER (ssd_worker(adviser) IS NOT NULL) AS adviser,
    first(ssd_worker(worker) ORDER BY ssd_date(contact) DESC NULLS LAST, worker)
        FILTER (ssd_worker(worker) IS NOT NULL) AS worker,
    first(ssd_worker(team) ORDER BY ssd_date(contact) DESC NULLS LAST, team)
        FILTER (ssd_worker(team) IS NOT NULL) AS team
FROM ssd_care_leavers
GROUP BY 1
