"""Writes the SQL that makes a role of PostgreSQL, and a schema that belongs to it alone."""


def quote_name(name: str) -> str:
    """Write a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def write_role(role: str) -> str:
    """Write the statement that makes a role, which is given its password apart."""
    return f"CREATE ROLE {quote_name(role)} LOGIN;"


def write_schema(schema: str, role: str) -> str:
    """Write the statement that makes a schema where there is none."""
    return f"CREATE SCHEMA IF NOT EXISTS {quote_name(schema)} AUTHORIZATION {quote_name(role)};"
