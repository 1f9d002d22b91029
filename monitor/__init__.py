"""The care-leaver monitor: asks every night which young people leaving care have dropped out of sight."""
