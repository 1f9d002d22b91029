"""The rules asked of a typed caseload once, on DuckDB or Spark: counts and breaches out, nothing remembered."""
