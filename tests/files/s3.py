"""An S3 server of moto's, in a process of its own, and buckets on it."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from servers import clean_environment


@dataclass
class S3:
    """`environment` is what a client of it needs."""

    url: str
    _numbers: itertools.count[int] = field(default_factory=itertools.count, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self) -> str:
        """The URL of a new bucket, as `storage.blobs` takes it."""
        name = f"bucket-{next(self._numbers)}"
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT"), timeout=10).close()
        return f"s3://{name}/some/prefix"

    def unfinished(self, bucket: str) -> int:
        """Multipart uploads that were begun and neither completed nor aborted."""
        name = bucket.removeprefix("s3://").partition("/")[0]
        with urllib.request.urlopen(f"{self.url}/{name}?uploads", timeout=10) as answer:
            return answer.read().count(b"<UploadId>")


@contextmanager
def s3_server() -> Generator[S3]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment())
    try:
        server = S3(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{server.url}/moto-api/", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "moto ended"
                assert time.monotonic() < deadline, "moto does not answer"
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(10)
