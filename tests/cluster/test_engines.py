"""What the service builds on: the object store does what it must, also while parts of it fail."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.support.cluster import Running
from tests.support.faults import Injected
from tools.cluster.ceph import BUCKET

pytestmark = pytest.mark.cluster

OBJECT = b"".join(hashlib.sha512(number.to_bytes(4)).digest() for number in range(1 << 17))
"""8 MiB, no two parts of which are alike."""


def test_an_object_is_read_by_ranges(cluster: Running) -> None:
    cluster.objects.put_object(Bucket=BUCKET, Key="tests/ranges", Body=OBJECT)
    for first, last in ((0, 0), (1, 70_000), (len(OBJECT) - 5, len(OBJECT) - 1)):
        got = cluster.objects.get_object(
            Bucket=BUCKET, Key="tests/ranges", Range=f"bytes={first}-{last}"
        )
        assert got["Body"].read() == OBJECT[first : last + 1]


def test_of_racing_writers_exactly_one_wins(cluster: Running) -> None:
    client = cluster.objects

    def put(key: str, writer: int) -> int:
        body = bytes([writer]) * 100_000
        try:
            client.put_object(Bucket=BUCKET, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        return 200

    with ThreadPoolExecutor(8) as writers:
        for number in range(10):
            key = f"tests/race-{number}"
            statuses = [*writers.map(put, [key] * 8, range(8))]
            # 409: while another one is at it.
            assert statuses.count(200) == 1
            assert {*statuses} <= {200, 409, 412}
            kept = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            assert kept == bytes([statuses.index(200)]) * 100_000


@pytest.mark.parametrize("part", ["gateway.a", "gateway.b", "osd.0", "osd.2"])
@pytest.mark.parametrize(("fault", "end"), [("kill", "start"), ("pause", "resume")])
def test_one_part_may_fail(
    cluster: Running, part: str, fault: str, end: str, injected: Injected
) -> None:
    with cluster.without(part, fault=fault, end=end):
        for number in range(3):
            key = f"tests/{fault}-{part}-{number}"
            cluster.objects.put_object(Bucket=BUCKET, Key=key, Body=OBJECT)
            assert cluster.objects.get_object(Bucket=BUCKET, Key=key)["Body"].read() == OBJECT
    injected(f"{part}: {fault}", 1, "objects were stored and read")


def test_a_second_up_changes_nothing(cluster: Running) -> None:
    before = cluster.do("status")
    assert before in cluster.do("up")
    assert cluster.do("status") == before
    assert "does not run" not in before
