"""How serious a rule is: the order, most severe first."""

SEVERITIES = ("critical", "high", "medium", "low", "data")
