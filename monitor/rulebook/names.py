"""The names and codes that a rule's conditions and sentences may use."""

from collections.abc import Mapping

from monitor.catalogue import columns

DERIVED_TYPES: Mapping[str, str] = {
    **{name: kind for name, (kind, _) in columns.DERIVED.items()},
    "first_seen_on": "DATE",
}
TYPES: Mapping[str, str] = {**{c.name: c.duckdb_type for c in columns.COLUMNS}, **DERIVED_TYPES}
"""Every name a condition may use beside its limits, with its DuckDB type."""

CODES: Mapping[str, Mapping[str, str]] = {
    **{c.name: c.codes for c in columns.COLUMNS if c.codes},
    "category": columns.ELIGIBILITY,
}
NOT_APPLICABLE = "0"
"""SSDA903's "not applicable", which any code column may hold: neither blank nor any other code."""
