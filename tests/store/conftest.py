"""An object store for the tests: moto's, or the one that S3_ENDPOINT_URL names."""

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="session")
def endpoint_url() -> Iterator[str]:
    """Where the object store is."""
    if url := os.environ.get("S3_ENDPOINT_URL"):
        yield url
        return
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def client_of(endpoint_url: str) -> Any:
    """A client of the object store, which gives up soon."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "testing"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "testing"),
        config=Config(
            connect_timeout=1,
            read_timeout=2,
            retries={"mode": "standard", "total_max_attempts": 1},
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@pytest.fixture
def client(endpoint_url: str) -> Any:
    """A client of the object store."""
    return client_of(endpoint_url)


@pytest.fixture
def bucket_name(client: Any) -> str:
    """A bucket of this test's own, still empty."""
    name = f"test-{uuid4()}"
    client.create_bucket(Bucket=name)
    return name
