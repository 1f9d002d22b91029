"""One session of Spark for every test of this folder, which skip where pyspark is not installed.

Where ``MONITOR_SPARK_TESTS`` is "required", as in ``.ci/spark``, they fail instead. test_spark_connect.py runs some of
them once more in a session of a Spark Connect server.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.spark_session import REQUIRED, start

HERE = Path(__file__).parent


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
