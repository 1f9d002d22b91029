-- Each team's name by its id. Parents are not read: they are not a hierarchy.
SELECT ssd_worker(team) AS team, min(ssd_text(name)) AS name
FROM ssd_department
WHERE ssd_worker(team) IS NOT NULL AND ssd_text(name) IS NOT NULL
GROUP BY 1
