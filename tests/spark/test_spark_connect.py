"""The tests of a scan once more, in a session of a Spark Connect server instead of one in this process."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from support.spark_session import BY_CONNECT, REQUIRED

HERE = Path(__file__).parent


def test_a_scan_on_a_connect_server_of_spark_4_passes_every_test_of_one_in_this_process(tmp_path: Path) -> None:
    try:
        version = metadata.version("pyspark")
    except metadata.PackageNotFoundError:
        if REQUIRED:
            raise
        pytest.skip("pyspark is not installed; see .ci/spark")
    if version.startswith("3."):
        pytest.skip("pyspark 3.5 comes without the server of Spark Connect, which is fetched from Maven")

    # A process of its own: a session in this one leaves no room for a server.
    files = [str(HERE / name) for name in ("test_scan_on_spark.py", "test_notebook.py")]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"--basetemp={tmp_path / 'connect'}", *files],
        cwd=HERE.parent.parent, env={**os.environ, BY_CONNECT: "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-5_000:]
