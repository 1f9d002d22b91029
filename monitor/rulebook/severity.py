"""How serious a rule is: the order, most severe first, and what each adds to a person's priority."""

from collections.abc import Mapping
from types import MappingProxyType

SEVERITIES = ("critical", "high", "medium", "low", "data")
WEIGHTS: Mapping[str, int] = MappingProxyType({"critical": 8, "high": 4, "medium": 2, "low": 1, "data": 0})
