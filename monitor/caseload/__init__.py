"""The caseload: one typed row per young person from every source and the roster."""
