"""The database: tables, events, runs and the lock of one writer."""
