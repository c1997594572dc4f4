"""What both tests share: running ebb-train, counting checks."""

import os
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
started = time.monotonic()
failed = []
passed = []


def run(*command):
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True).stdout


def check(name, good):
    (passed if good else failed).append(name)
    print(f"{'ok' if good else 'FAILED'} ({time.monotonic() - started:5.1f} s): {name}", flush=True)


def same_bytes(one, other):
    return Path(one).read_bytes() == Path(other).read_bytes()


def end():
    print(f"{len(passed)} passed, {len(failed)} failed")
    sys.exit(1 if failed or not passed else 0)


def spark_environment():
    """Where Spark finds itself and Python, here and in its executors."""
    import pyspark

    return os.environ | {
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
