"""The trust gate: judges whether the caseload of a night can be believed."""
