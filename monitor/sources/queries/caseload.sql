-- One row for each person, whatever the tables multiplied.
SELECT
    people.person_id,
    person.is_known,
    person.age,
    person.date_of_birth,
    person.is_estimate,
    person.died AS death_date,
    CASE WHEN person.is_mother THEN 'Yes' END AS is_parent,
    eligibility.eligibility,
    eligibility.recorded AS eligibilities,
    contact.in_touch,
    contact.contact,
    contact.accommodation,
    contact.suitable AS accommodation_suitable,
    contact.activity,
    coalesce(contact.has_contact, false) AS has_contact,
    contact.contacts,
    coalesce(
        plan.plan::VARCHAR,
        plan.unread,
        -- The plan is looked up through the contact row: with none, a plan that exists does not show either.
        CASE
            WHEN getvariable('ssd_plan_needs_contact') AND NOT coalesce(contact.has_contact, false)
                AND coalesce(meaning.category <> 'eligible', true) THEN 'not evidenced in this extract'
        END
    ) AS pathway_plan_review_date,
    CASE getvariable('ssd_confirmed_by')
        WHEN 'nothing' THEN coalesce(professional.name, listed.adviser)
        ELSE CASE
            WHEN adviser.is_open AND getvariable('ssd_is_named') AND listed.adviser IS NOT NULL THEN listed.adviser
            WHEN adviser.is_open THEN coalesce(present.name, adviser.professional)
            WHEN adviser.person_id IS NULL AND getvariable('ssd_is_named') THEN listed.adviser
        END
    END AS personal_adviser,
    listed.adviser AS listed_adviser,
    coalesce(adviser.is_open, false) AS has_open_adviser,
    coalesce(adviser.is_open, false) AND present.name IS NULL AND NOT getvariable('ssd_is_named')
        AS adviser_has_no_name,
    adviser.since::VARCHAR AS pa_start_date,
    coalesce(adviser.changes, 0)::VARCHAR AS pa_changes_12_months,
    coalesce(worker.name, listed.worker) AS allocated_worker,
    coalesce(team.adviser_team, team.department, team.worker_team, team.raw_team) AS allocated_team,
    coalesce(team.adviser_team, team.department) IS NULL AND team.worker_team IS NOT NULL AS team_is_workers,
    CASE WHEN uasc.uasc THEN 'Yes' WHEN NOT uasc.uasc THEN 'No' END AS uasc,
    CASE WHEN disability.disabled THEN 'Yes' WHEN NOT disability.disabled THEN 'No' END AS disability,
    address.started::VARCHAR AS accommodation_start_date,
    CASE
        WHEN address.postcode IS NULL THEN NULL
        -- The last three characters are the street; the rest is the district, which begins with the area's letters.
        WHEN list_contains(getvariable('ssd_area_postcodes'), left(address.postcode, length(address.postcode) - 3))
            OR list_contains(getvariable('ssd_area_postcodes'), regexp_extract(address.postcode, '^[A-Z]+')) THEN 'No'
        ELSE 'Yes'
    END AS out_of_area
FROM ssd_people AS people
LEFT JOIN ssd_person_step AS person USING (person_id)
LEFT JOIN ssd_contact_step AS contact USING (person_id)
LEFT JOIN ssd_plan_step AS plan USING (person_id)
LEFT JOIN ssd_eligibility_step AS eligibility USING (person_id)
LEFT JOIN ssd_meaning AS meaning ON meaning.text = eligibility.eligibility
LEFT JOIN ssd_listed_step AS listed USING (person_id)
LEFT JOIN ssd_adviser_step AS adviser USING (person_id)
LEFT JOIN ssd_professional_step AS professional ON professional.professional = listed.adviser
LEFT JOIN ssd_professional_step AS present ON present.professional = adviser.professional
LEFT JOIN ssd_professional_step AS worker ON worker.professional = listed.worker
LEFT JOIN ssd_team_step AS team USING (person_id)
LEFT JOIN ssd_uasc_step AS uasc USING (person_id)
LEFT JOIN ssd_disability_step AS disability USING (person_id)
LEFT JOIN ssd_address_step AS address USING (person_id)
