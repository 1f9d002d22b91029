"""Counts of the service: measures, who is out of sight, and the week."""
