"""Reaching the outside: one policy of proxy, certificates and time-outs, and tokens of services that want a sign-in."""
