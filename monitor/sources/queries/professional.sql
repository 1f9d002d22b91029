-- Each worker once; the id stands in either of two columns, and some releases list a worker several times.
SELECT
    coalesce(ssd_worker(professional), ssd_worker(staff)) AS professional,
    min(ssd_text(name)) AS name,
    min(ssd_text(department)) AS department
FROM ssd_professionals
WHERE coalesce(ssd_worker(professional), ssd_worker(staff)) IS NOT NULL
GROUP BY 1
