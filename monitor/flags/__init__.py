"""The life of a flag: opened, held, resolved, waived, answered and escalated."""
