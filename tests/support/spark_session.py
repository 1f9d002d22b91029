"""A session of Spark for tests, in this process or of a Spark Connect server on this machine."""

import os
from pathlib import Path
from typing import Any

REQUIRED = os.environ.get("MONITOR_SPARK_TESTS") == "required"
BY_CONNECT = "MONITOR_SPARK_TESTS_BY_CONNECT"
"""Where this is set, the session is one of a Spark Connect server."""


def start(builder: Any, folder: Path) -> Any:
    """Open a session with two cores, set as a scan sets it."""
    settings = {
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.log.level": "OFF",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    if BY_CONNECT in os.environ:
        os.environ["SPARK_TESTING"] = "1"  # the server takes whichever port is free
        builder = builder.remote("local[2]")
    else:
        builder = builder.master("local[2]").appName("care-leaver monitor tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
