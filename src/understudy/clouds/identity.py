"""Ids of requests as the clouds write them."""

from __future__ import annotations

import hashlib
from uuid import UUID


def aws_request_id(request_id: str) -> bytes:
    """A UUID that belongs to our id of a request: who has that finds this."""
    return str(UUID(bytes=hashlib.blake2b(request_id.encode(), digest_size=16).digest(), version=4)).encode()
