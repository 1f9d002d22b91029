"""Who is told what: pure functions from flags, routes and what was told before to finished messages."""

from monitor.digests.analyst import (
    Account,
    AnalystDigest,
    RefusedDigest,
    compose_analyst,
    compose_refused,
)
from monitor.digests.lead import LeadDigest, NoLead, compose_lead
from monitor.digests.manager import ManagerDigest, Raised, compose_manager
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
    render_together,
)
from monitor.digests.notices import Matter, Notice, compose_alarm, compose_outage
from monitor.digests.routes import Routes, plan_routes
from monitor.digests.week import HeadDigest, Week, compose_head

__all__ = [
    "Account",
    "AnalystDigest",
    "ComingDue",
    "Digest",
    "FlagLine",
    "HeadDigest",
    "LeadDigest",
    "ManagerDigest",
    "Matter",
    "Message",
    "Night",
    "NoLead",
    "Notice",
    "Raised",
    "RefusedDigest",
    "Routes",
    "RuleWords",
    "Told",
    "Week",
    "clean_subject",
    "compose_alarm",
    "compose_analyst",
    "compose_head",
    "compose_lead",
    "compose_manager",
    "compose_outage",
    "compose_refused",
    "plan_routes",
    "render",
    "render_together",
]
