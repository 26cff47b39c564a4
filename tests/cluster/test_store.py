"""The store keeps its contract on a real object store too."""

import subprocess
import sys

import pytest

from tests.support.cluster import Running
from tests.support.faults import Injected
from tests.support.processes import ROOT, environment
from tools.cluster import ceph
from tools.cluster.keys import kept
from tools.cluster.place import LOOPBACK, OBJECTS_PORT

pytestmark = pytest.mark.cluster


def test_the_contract_of_stores_holds_on_ceph(cluster: Running, injected: Injected) -> None:
    keys = kept(cluster.directory)
    variables = {
        "S3_ENDPOINT_URL": f"http://{LOOPBACK}:{OBJECTS_PORT}",
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_DEFAULT_REGION": ceph.REGION,
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/store"],
        cwd=ROOT,
        env=environment(cluster.directory / "unused", **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    injected("the contract of stores, on Ceph", 1, done.stdout.strip().splitlines()[-1])
