-- Any recorded disability wins over NONE; a row that does not know says nothing.
SELECT ssd_id(person) AS person_id, bool_or(meaning.disabled) AS disabled
FROM ssd_disability
LEFT JOIN ssd_disability_meaning AS meaning ON meaning.text = ssd_text(code)
GROUP BY 1
