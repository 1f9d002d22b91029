"""The contract ``caseload_v1``: the columns and types of a typed caseload that ``monitor scan`` asks the rules of.

A row is one person of one authority on one day. A cell is a value, blank, unreadable or not supplied: the column holds
the value or NULL, and ``<name>_gap`` is NULL, 'unreadable' or 'not supplied'. Age, category, declined and once_entitled
are worked out by the scan, so a table does not hold them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from monitor.catalogue.columns import COLUMNS

AUTHORITY, PERSON_ID, AS_AT, DIED, PRESENT = "authority", "person_id", "as_at", "died", "present"

KEYS: Mapping[str, str] = MappingProxyType({AUTHORITY: "VARCHAR", PERSON_ID: "VARCHAR", AS_AT: "DATE", DIED: "BOOLEAN"})
"""Columns without which a row is nobody's; none of their cells may be NULL."""

RECORDED: Mapping[str, str] = MappingProxyType(
    {
        PRESENT: "BOOLEAN",
        **{name: kind for column in COLUMNS for name, kind in (
            (column.name, column.duckdb_type), (f"{column.name}_gap", "VARCHAR")
        )},
    }
)  # fmt: skip
"""``present``: on the caseload that day, NULL where nobody knows; then each column of the catalogue and its gap."""

ROSTER: Mapping[str, str] = MappingProxyType(
    {"strongest_category": "VARCHAR", "first_seen_on": "DATE", "accommodation_since": "DATE", "elsewhere_until": "DATE"}
)
"""What only a record of earlier nights knows; a table may leave these out."""

RESTS_ON: Mapping[str, str] = MappingProxyType(
    {
        "once_entitled": "strongest_category",
        "first_seen_on": "first_seen_on",
        "accommodation_since": "accommodation_since",
        "elsewhere_until": "elsewhere_until",
        # Somebody who has left is in no extract: only who was seen before can be missed.
        "present": "first_seen_on",
    }
)
"""The column of ``ROSTER`` that a name in a condition rests on; without it the rule cannot be asked of anybody."""

SPARK_TYPES: Mapping[str, str] = MappingProxyType(
    {"VARCHAR": "STRING", "DATE": "DATE", "BOOLEAN": "BOOLEAN", "INTEGER": "INT"}
)


def contract_columns(authority: str = AUTHORITY) -> tuple[tuple[str, str], ...]:
    """Return every column of the contract with its DuckDB type; ``authority`` is what its column is called."""
    named = {authority if name == AUTHORITY else name: kind for name, kind in KEYS.items()}
    return tuple({**named, **RECORDED, **ROSTER}.items())


def spark_ddl(authority: str = AUTHORITY) -> str:
    """Return the contract as Spark writes a schema, for ``StructType.fromDDL`` and ``CREATE TABLE``."""
    never_null = {authority, *KEYS}
    return ", ".join(
        f"{name} {SPARK_TYPES[kind]}{' NOT NULL' if name in never_null else ''}"
        for name, kind in contract_columns(authority)
    )
