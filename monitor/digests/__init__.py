"""Who is told what: pure functions from flags, routes and what was told before to finished messages."""

from monitor.digests.analyst import (
    Account,
    AnalystDigest,
    RefusedDigest,
    compose_analyst,
    compose_refused,
)
from monitor.digests.lead import LeadDigest, NoLead, compose_lead
from monitor.digests.messages import (
    ComingDue,
    Digest,
    FlagLine,
    Message,
    Night,
    RuleWords,
    Told,
    clean_subject,
    render,
)
from monitor.digests.routes import Routes, plan_routes

__all__ = [
    "Account",
    "AnalystDigest",
    "ComingDue",
    "Digest",
    "FlagLine",
    "LeadDigest",
    "Message",
    "Night",
    "NoLead",
    "RefusedDigest",
    "Routes",
    "RuleWords",
    "Told",
    "clean_subject",
    "compose_analyst",
    "compose_lead",
    "compose_refused",
    "plan_routes",
    "render",
]
