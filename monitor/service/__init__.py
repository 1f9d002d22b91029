"""``monitor start``: what is due now, and the service that does it."""
