-- Who is responsible: the adviser's own team first, because after 18 the social worker's is blank or an old one.
SELECT
    people.person_id,
    coalesce(by_adviser.name, CASE WHEN NOT getvariable('ssd_is_named') THEN adviser.team END) AS adviser_team,
    coalesce(adviser_at.department, CASE WHEN NOT getvariable('ssd_is_named') THEN worker_at.department END)
        AS department,
    coalesce(by_worker.name, listed.team) AS worker_team,
    adviser.team AS raw_team
FROM ssd_people AS people
LEFT JOIN ssd_listed_step AS listed USING (person_id)
LEFT JOIN ssd_adviser_step AS adviser USING (person_id)
LEFT JOIN ssd_department_step AS by_adviser ON by_adviser.team = adviser.team
LEFT JOIN ssd_department_step AS by_worker ON by_worker.team = listed.team
LEFT JOIN ssd_professional_step AS adviser_at ON adviser_at.professional = adviser.professional
LEFT JOIN ssd_professional_step AS worker_at ON worker_at.professional = listed.worker
