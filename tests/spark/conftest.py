"""One session of Spark for every test of this folder, which skip where pyspark is not installed.

Where ``MONITOR_SPARK_TESTS`` is "required", as in ``.ci/spark``, they fail instead.
"""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
REQUIRED = os.environ.get("MONITOR_SPARK_TESTS") == "required"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Spark 3.5 leave it to the collector to close the connections that rows came by, in whichever test that is."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A local session with two cores, set as a scan sets it."""
    folder = tmp_path_factory.mktemp("spark")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pyspark says of other packages is its own affair
        try:
            from pyspark.sql import SparkSession
        except ImportError:
            if REQUIRED:
                raise
            pytest.skip("pyspark is not installed; see .ci/spark")
        session = start(SparkSession.builder, folder)
    yield session
    session.stop()


def start(builder: Any, folder: Path) -> Any:
    settings = {
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    builder = builder.master("local[2]").appName("care-leaver monitor tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session
