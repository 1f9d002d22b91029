"""How large a benchmark is: as it is meant, or so small that it only proves that it still runs."""

import os

SMALLEST = os.environ.get("MONITOR_BENCHMARKS") == "smallest"
"""Set by ``.ci/run``."""
